using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Tests.Support;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Tests;

public sealed class RestatementCommandTests(ScriptedControlPlane server) : IClassFixture<ScriptedControlPlane>
{
    [Fact]
    public async Task What_late_data_would_change_is_listed_with_its_cause_and_whose_approval_is_missing()
    {
        server.Script.When<ListRestatementsRequest>(_ => new ListRestatementsResponse { Restatements = { Offer(7, "offered"), Offer(8, "proposed") } });
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("restatements", "--refresh", "12", "--state", "all");

        var asked = server.Script.Last<ListRestatementsRequest>();
        Assert.Equal((12, "all"), (asked.RefreshId, asked.State));
        Assert.Matches(@"(?m)^ *7 +acme/prod/dso_daily +offered +2026-01-30\.\.2026-01-31 +0/2 +GDP_Sales, refresh 12 \(load-77, version 2\) ", result.Out);
        Assert.Contains("business: ann, technical: tom (missing)", result.Out, StringComparison.Ordinal);
        Assert.Equal("restatement/7\nrestatement/8\n", (await kpictl.Run("restatements", "-o", "name")).Out);
    }

    [Fact]
    public async Task One_shows_its_dates_the_runs_of_both_views_and_what_differs()
    {
        server.Script.When<GetRestatementRequest>(_ => Offer(7, "restated", one => one.Dates.Add(new RestatedDate
        {
            BusinessDate = "2026-01-31", ReportedRunId = 101, RestatedRunId = 140, State = "success", Compared = true,
            Differences = { new RestatedPoint { Period = "2026-01", Metric = "dso_days", Dimensions = { ["company_id"] = "PARENT" }, Reported = 41.5 } },
        })));
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("restatements", "show", "7");

        Assert.Matches(@"(?m)^2026-01-31 +101 +140 +success +1 points", result.Out);
        Assert.Matches(@"(?m)^2026-01-31 +2026-01 +company_id=PARENT +dso_days +41\.5 +- *$", result.Out);
    }

    [Fact]
    public async Task All_that_a_refresh_led_to_is_accepted_and_waited_for()
    {
        var looks = 0;
        server.Script.When<ListRestatementsRequest>(_ => new ListRestatementsResponse { Restatements = { Offer(7, "offered"), Offer(8, "offered") } });
        server.Script.When<AcceptRestatementRequest>(request => Offer(request.RestatementId, request.RestatementId == 7 ? "running" : "proposed"));
        server.Script.When<GetRestatementRequest>(request => Offer(request.RestatementId, looks++ == 0 ? "running" : "restated"));
        using var kpictl = new CommandLine(server);

        var result = await kpictl.Run("restatements", "accept", "--refresh", "12", "--reason", "late load", "--wait");

        Assert.Equal([7L, 8L], server.Script.Asked.OfType<AcceptRestatementRequest>().Select(a => a.RestatementId).Distinct());
        Assert.Equal("late load", server.Script.Last<AcceptRestatementRequest>().Reason);
        Assert.Contains("restatement/7 of dso_daily (2026-01-30..2026-01-31): running", result.Out, StringComparison.Ordinal);
        Assert.Contains("it waits for business: ann, technical: tom (missing): kpictl restatements approve 8", result.Error, StringComparison.Ordinal);
        // The one that waits for its approvals is not restated.
        Assert.Equal(1, result.Exit);
    }

    [Fact]
    public async Task Decisions_carry_the_digest_that_was_shown_and_a_decline_its_reason()
    {
        server.Script.When<GetRestatementRequest>(_ => Offer(7, "proposed"));
        server.Script.When<DecideRestatementRequest>(_ => Offer(7, "running"));
        server.Script.When<DeclineRestatementRequest>(_ => Offer(7, "declined"));
        using var kpictl = new CommandLine(server);

        Assert.Equal(0, (await kpictl.Run("restatements", "approve", "7", "-m", "looked at")).Exit);
        Assert.Equal(("sha256:what", "looked at"), (server.Script.Last<DecideRestatementRequest>().Digest, server.Script.Last<DecideRestatementRequest>().Comment));
        await kpictl.Run("restatements", "reject", "7", "-m", "wrong load", "--digest", "sha256:other");
        Assert.Equal("sha256:other", server.Script.Last<DecideRestatementRequest>().Digest);
        Assert.Equal(2, (await kpictl.Run("restatements", "decline", "7")).Exit);
        await kpictl.Run("restatements", "decline", "7", "--reason", "of no account");
        Assert.Equal("of no account", server.Script.Last<DeclineRestatementRequest>().Reason);
        var nothing = await kpictl.Run("restatements", "accept");
        Assert.Contains("accept takes one or more ID, or --refresh ID", nothing.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refresh_may_say_since_when_it_changed()
    {
        server.Script.When<PublishRefreshRequest>(_ => new PublishRefreshResponse { RefreshId = 12 });
        using var kpictl = new CommandLine(server);

        await kpictl.Run("signal", "refresh", "GDP_Sales", "--data-through", "2026-02-01", "--changed-from", "2026-01-15", "--run-id", "load-77");

        Assert.Equal(new DateTime(2026, 1, 15), server.Script.Last<PublishRefreshRequest>().ChangedFrom.ToDateTime());
    }

    private static Restatement Offer(long id, string state, Action<Restatement>? more = null)
    {
        var now = Timestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow());
        var one = new Restatement
        {
            RestatementId = id, Tenant = "acme", Environment = "prod", JobId = "dso_daily", State = state, FirstDate = "2026-01-30", LastDate = "2026-01-31", Total = 2, Digest = "sha256:what",
            Cause = new RestatementCause { Kind = "refresh", Source = "GDP_Sales", RefreshId = 12, SourceRun = "load-77", Version = "2" }, OfferedAt = now, ExpiresAt = now,
            Approvals = { new RestatementApproval { Capacity = "business", Owner = "ann", GivenBy = "ann" }, new RestatementApproval { Capacity = "technical", Owner = "tom" } },
        };
        more?.Invoke(one);
        return one;
    }
}
