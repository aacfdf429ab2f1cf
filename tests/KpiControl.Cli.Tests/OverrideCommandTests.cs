using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Tests.Support;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Time.Testing;

namespace KpiControl.Cli.Tests;

public sealed class OverrideCommandTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    private static readonly DateTimeOffset Now = DateTimeOffset.Parse("2026-01-02T05:00:00Z", System.Globalization.CultureInfo.InvariantCulture);

    private static Override Late(string kind = "timeout") => new()
    {
        OverrideId = 9, BindingId = 7, Tenant = "acme", Environment = "dev", JobId = "dso_daily", Kind = kind, Value = "45m", Reason = "full reload", CreatedBy = "pat",
        CreatedAt = Timestamp.FromDateTimeOffset(Now.AddHours(-1)), ExpiresAt = Timestamp.FromDateTimeOffset(Now.AddHours(2)),
    };

    [Fact]
    public async Task An_override_has_a_kind_a_value_an_end_and_a_reason()
    {
        server.Script.When<SetOverrideRequest>(_ => Late());
        using var kpictl = new CommandLine(server) { Clock = new FakeTimeProvider(Now) };

        Assert.Equal(2, (await kpictl.Run("override", "set", "acme/dev/dso_daily", "timeout", "45m", "--reason", "full reload")).Exit);
        Assert.Equal(2, (await kpictl.Run("override", "set", "acme/dev/dso_daily", "timeout", "45m", "--until", "2h")).Exit);
        var done = await kpictl.Run("override", "set", "acme/dev/dso_daily", "alert-route", "slack:#x", "--until", "2h", "--reason", "full reload");

        var asked = server.Script.Last<SetOverrideRequest>();
        Assert.Equal(("dso_daily", "alert_route", "slack:#x", "full reload", Now.AddHours(2)), (asked.JobId, asked.Kind, asked.Value, asked.Reason, asked.ExpiresAt.ToDateTimeOffset()));
        Assert.StartsWith("acme/dev/dso_daily: timeout overridden (45m) until 2026-01-02 07:00:00Z", done.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task They_are_listed_and_cleared()
    {
        var ended = Late();
        (ended.EndedAt, ended.EndedBy, ended.Ending) = (Timestamp.FromDateTimeOffset(Now), "kim", "cleared");
        server.Script.When<ListOverridesRequest>(asked => new ListOverridesResponse { Overrides = { asked.IncludeEnded ? ended : Late() } });
        server.Script.When<ClearOverrideRequest>(_ => ended);
        using var kpictl = new CommandLine(server) { Clock = new FakeTimeProvider(Now) };

        Assert.Matches("acme/dev/dso_daily +timeout +45m +2026-01-02 07:00:00Z.* pat +full reload +-", (await kpictl.Run("override", "list")).Out);
        Assert.Matches("pat +full reload +2026-01-02 05:00:00Z +cleared by kim", (await kpictl.Run("override", "list", "--all", "-o", "wide")).Out);
        Assert.Equal("acme/dev/dso_daily: timeout is the definition's again\n", (await kpictl.Run("override", "clear", "7", "timeout", "--reason", "done")).Out);
        Assert.Equal((7L, "timeout", "done"), server.Script.Last<ClearOverrideRequest>() is var asked ? (asked.BindingId, asked.Kind, asked.Reason) : default);
    }
}
