using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Tests.Support;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Tests;

public sealed class ChangeCommandTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    [Fact]
    public async Task Approve_names_the_digest_that_was_shown()
    {
        server.Script.When<GetChangeRequest>(_ => Waiting());
        server.Script.When<DecideChangeRequest>(_ => Waiting());
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("approve", "7", "--comment", "as agreed");

        var asked = server.Script.Last<DecideChangeRequest>();
        Assert.Equal((7, "sha256:d", "as agreed"), (asked.ChangeId, asked.Digest, asked.Comment));
        Assert.Equal("change/7 of acme/prod/dso_daily approved\n", result.Out);
        Assert.Equal("next: it waits for technical tess: kpictl approve 7\n", result.Error);
    }

    [Fact]
    public async Task A_change_is_shown_with_its_differences_and_who_is_missing()
    {
        server.Script.When<GetChangeRequest>(_ => Waiting());
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("changes", "7");

        Assert.Equal(0, result.Exit);
        Assert.Contains("business bea: approved by bea", result.Out, StringComparison.Ordinal);
        Assert.Contains("technical tess: missing", result.Out, StringComparison.Ordinal);
        Assert.Contains("/schedule/expression", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_list_says_whom_each_waits_for()
    {
        server.Script.When<ListChangesRequest>(_ => new ListChangesResponse { Changes = { Waiting() } });
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("changes", "--env", "prod");

        Assert.Equal(("prod", "open"), (server.Script.Last<ListChangesRequest>().Environment, server.Script.Last<ListChangesRequest>().State));
        Assert.Matches(@"7\s+acme/prod/dso_daily\s+update\s+open\s+anna\s+.*technical tess", result.Out);
    }

    private static Change Waiting() => new()
    {
        ChangeId = 7, Tenant = "acme", Environment = "prod", Region = "eu", JobId = "dso_daily", BindingId = 3, Kind = "update", State = "open", Digest = "sha256:d",
        ContentHash = "sha256:new", BaseContentHash = "sha256:old", BaseEtag = "r4", Author = "anna", ProposedAt = new Timestamp(), ExpiresAt = new Timestamp { Seconds = 604800 },
        Required = { new RequiredApproval { Capacity = "business", Principal = "bea", GivenBy = "bea" }, new RequiredApproval { Capacity = "technical", Principal = "tess" } },
        Differences = { new FieldChange { Path = "/schedule/expression", Before = "\"0 2 * * *\"", After = "\"0 6 * * *\"" } },
    };
}
