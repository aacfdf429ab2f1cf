using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Tests.Support;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Time.Testing;

namespace KpiControl.Cli.Tests;

public sealed class AlertTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    private static readonly DateTimeOffset Now = DateTimeOffset.Parse("2026-01-02T05:00:00Z", System.Globalization.CultureInfo.InvariantCulture);

    private static Episode Late() => new()
    {
        EpisodeId = 12, BindingId = 7, Tenant = "acme", Environment = "dev", JobId = "dso_daily", Clock = "freshness", State = "breach",
        OpenedAt = Timestamp.FromDateTimeOffset(Now.AddHours(-3)), BreachedAt = Timestamp.FromDateTimeOffset(Now.AddHours(-2)), RecordedAt = Timestamp.FromDateTimeOffset(Now.AddHours(-3)),
    };

    [Fact]
    public async Task Open_episodes_are_a_table_and_json()
    {
        server.Script.When<ListEpisodesRequest>(_ => new ListEpisodesResponse { Episodes = { Late() } });
        using var kpictl = new CommandLine(server) { Clock = new FakeTimeProvider(Now) };

        var table = await kpictl.Run("alerts", "--clock", "freshness");
        Assert.Matches("12 +acme/dev/dso_daily +freshness +breach +3h ago +2h ago", table.Out);
        Assert.Equal(("freshness", false), (server.Script.Last<ListEpisodesRequest>().Clock, server.Script.Last<ListEpisodesRequest>().IncludeResolved));
        Assert.Contains("\"episode_id\": 12", (await kpictl.Run("alerts", "-o", "json")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Alerts_that_were_given_up_are_listed_with_why_and_sent_again()
    {
        var dead = new DeadAlert
        {
            MessageId = 31, Tenant = "acme", Environment = "dev", JobId = "dso_daily", Event = "sla_breach", Channel = "webhook:ops", Tries = 6, LastError = "it answered 500",
            OccurredAt = Timestamp.FromDateTimeOffset(Now.AddHours(-1)),
        };
        server.Script.When<ListDeadAlertsRequest>(_ => new ListDeadAlertsResponse { Alerts = { dead } });
        server.Script.When<ResendAlertRequest>(_ => dead);
        using var kpictl = new CommandLine(server) { Clock = new FakeTimeProvider(Now) };

        Assert.Matches("31 +acme/dev/dso_daily +sla_breach +webhook:ops +1h ago +6 +it answered 500", (await kpictl.Run("alerts", "dead")).Out);
        var sent = await kpictl.Run("alerts", "resend", "31", "--reason", "the hook is back");
        Assert.Equal("alert 31 goes to webhook:ops again\n", sent.Out);
        Assert.Equal((31L, "the hook is back"), (server.Script.Last<ResendAlertRequest>().MessageId, server.Script.Last<ResendAlertRequest>().Reason));
        Assert.Equal(2, (await kpictl.Run("alerts", "resend")).Exit);
    }

    [Fact]
    public async Task A_silence_has_an_instant_and_a_reason()
    {
        server.Script.When<SilenceEpisodeRequest>(_ => Late());
        using var kpictl = new CommandLine(server) { Clock = new FakeTimeProvider(Now) };

        Assert.Equal(2, (await kpictl.Run("alerts", "silence", "12", "--until", "2h")).Exit);
        var done = await kpictl.Run("alerts", "silence", "12", "--until", "2h", "--reason", "known");
        var asked = server.Script.Last<SilenceEpisodeRequest>();
        Assert.Equal((12L, Now.AddHours(2), "known"), (asked.EpisodeId, asked.Until.ToDateTimeOffset(), asked.Reason));
        Assert.True(Guid.TryParse(asked.RequestId, out _));
        Assert.Contains("is silenced until 2026-01-02 07:00:00Z", done.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_acknowledgement_can_be_rehearsed()
    {
        server.Script.When<AcknowledgeEpisodeRequest>(_ => Late());
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("alerts", "ack", "12", "--dry-run");
        Assert.True(server.Script.Last<AcknowledgeEpisodeRequest>().ValidateOnly);
        Assert.Contains("episode 12 of acme/dev/dso_daily (freshness) is acknowledged (dry run", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clocks_and_a_month_are_shown()
    {
        server.Script.When<ListSlaStatesRequest>(_ => new ListSlaStatesResponse
        {
            Clocks = { new SlaClock { BindingId = 7, Tenant = "acme", Environment = "dev", JobId = "dso_daily", Clock = "freshness", State = "pass", WarnAt = Timestamp.FromDateTimeOffset(Now.AddHours(2)) } },
        });
        server.Script.When<ReportSlaRequest>(_ => new ReportSlaResponse
        {
            Month = "2026-01", Objective = 99.5, Figures = { new SlaFigure { Tenant = "acme", Key = "high", Clock = "freshness", Unit = "seconds", Total = 36_000, Missed = 3_600, PercentMet = 90, BudgetLeft = -600, Breaches = 1 } },
        });
        using var kpictl = new CommandLine(server) { Clock = new FakeTimeProvider(Now) };

        Assert.Matches("acme/dev/dso_daily +freshness +pass +in 2h", (await kpictl.Run("sla")).Out);
        var report = await kpictl.Run("sla", "report", "--by", "criticality", "--month", "2026-01");
        Assert.Matches("acme +high +freshness +90.000 +1h +10h +-10m +1", report.Out);
        Assert.Equal(("criticality", "2026-01"), (server.Script.Last<ReportSlaRequest>().GroupBy, server.Script.Last<ReportSlaRequest>().Month));
    }
}
