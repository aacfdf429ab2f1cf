using Grpc.Core;
using KpiControl.Control.Restatements;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Restatements;

/// <summary>Which refreshes are late, and for whose numbers.</summary>
public sealed class LateDataTests
{
    private const string OnTable = "dependencies: { gdp: [GDP_A] }";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_refresh_of_a_window_that_was_reported_offers_once_however_often_it_is_published()
    {
        await using var world = await RestatementWorld.StartAsync();
        var binding = await world.BindAsync("reported", OnTable);
        await world.RefreshAsync("GDP_A", "load-1", "2026-02-01");
        var run = await world.ReportAsync(binding, "2026-01-31", 10);
        var late = RestatementWorld.Refresh("GDP_A", "load-2", "2026-02-01");
        late.RequestId = Guid.CreateVersion7().ToString();

        var published = await world.Signals.PublishRefreshAsync(late, cancellationToken: Token);
        Assert.Equal(published, await world.Signals.PublishRefreshAsync(late, cancellationToken: Token));
        Assert.Equal(published.RefreshId, (await world.RefreshAsync("GDP_A", "load-2", "2026-02-01")).RefreshId);

        var offer = await world.OfferAsync(binding);
        await world.LookedAsync();
        Assert.Equal(offer, await world.OfferAsync(binding));
        Assert.Equal(("offered", "refresh", "GDP_A", "load-2", published.RefreshId), (offer.State, offer.Cause.Kind, offer.Cause.Source, offer.Cause.SourceRun, offer.Cause.RefreshId));
        Assert.Equal(("2026-01-31", "2026-01-31", 1, 0), (offer.FirstDate, offer.LastDate, offer.Total, offer.Restated));
        var date = Assert.Single((await world.GetAsync(offer.RestatementId)).Dates);
        Assert.Equal((run, 0L, "offered", false), (date.ReportedRunId, date.RestatedRunId, date.State, date.Compared));
        Assert.Equal(1, await world.Leases.OneAsync<long>("SELECT count(*) FROM kpi_audit JOIN kpi_chained ON kind = 'a' AND id = audit_id WHERE object_kind = 'restatement' AND actor = 'system'"));
    }

    [Fact]
    public async Task A_table_that_grows_offers_nothing_and_one_that_says_since_when_it_changed_offers_every_date_of_that()
    {
        await using var world = await RestatementWorld.StartAsync();
        var binding = await world.BindAsync("growing", OnTable);
        foreach (var day in new[] { 1, 2, 3 })
        {
            await world.RefreshAsync("GDP_A", $"load-{day}", $"2026-02-0{day}");
            await world.ReportAsync(binding, day == 1 ? "2026-01-31" : $"2026-02-0{day - 1}", day);
        }
        Assert.Equal(0, await world.Leases.OneAsync<long>("SELECT count(*) FROM kpi_late_refresh"));

        await world.RefreshAsync("GDP_A", "corrected", "2026-02-04", changedFrom: "2026-02-01T12:00:00Z");

        // The day before the change was as it is; the last that it completes was never reported.
        var offer = await world.OfferAsync(binding);
        Assert.Equal(("2026-02-01", "2026-02-02", 2), (offer.FirstDate, offer.LastDate, offer.Total));
        Assert.Equal("2026-02-01T12:00:00Z", $"{offer.Cause.ChangedFrom.ToDateTimeOffset():yyyy-MM-dd'T'HH:mm:ss'Z'}");
    }

    [Fact]
    public async Task Nothing_is_offered_to_who_has_not_reported_or_does_not_read_the_table_or_restates_anyway()
    {
        await using var world = await RestatementWorld.StartAsync();
        var waiting = await world.BindAsync("waiting", OnTable);
        var other = await world.BindAsync("other", "dependencies: { gdp: [GDP_B] }");
        var restated = await world.BindAsync("restated", OnTable + "\nruntime: { scd_view: restated }");
        await world.RefreshAsync("GDP_A", "load-1", "2026-02-01");
        await world.RefreshAsync("GDP_B", "load-1", "2026-02-01");
        await world.ReportAsync(other, "2026-01-31", 1);
        await world.Jobs.TriggerJobAsync(new TriggerJobRequest { BindingId = restated, BusinessDate = "2026-01-31" }, cancellationToken: Token);
        var lease = await world.LeaseAsync();
        Assert.Equal("restated", lease.ScdView);
        await world.FinishAsync(lease, 2);

        await world.RefreshAsync("GDP_A", "load-2", "2026-02-01");
        await world.LookedAsync();

        Assert.Empty((await world.Restatements.ListRestatementsAsync(new ListRestatementsRequest { State = "all" }, cancellationToken: Token)).Restatements);
        _ = waiting;
    }

    [Fact]
    public async Task A_run_that_began_before_the_refresh_and_ends_after_it_is_offered_and_one_that_began_after_it_is_not()
    {
        await using var world = await RestatementWorld.StartAsync();
        var binding = await world.BindAsync("between", OnTable);
        await world.RefreshAsync("GDP_A", "load-1", "2026-02-01");
        await world.Jobs.TriggerJobAsync(new TriggerJobRequest { BindingId = binding, BusinessDate = "2026-01-31" }, cancellationToken: Token);
        var early = await world.LeaseAsync();
        await world.RefreshAsync("GDP_A", "load-2", "2026-02-01");
        await world.LookedAsync();
        Assert.Empty((await world.Restatements.ListRestatementsAsync(new ListRestatementsRequest(), cancellationToken: Token)).Restatements);

        await world.FinishAsync(early, 1);
        var offer = await world.OfferAsync(binding);
        await world.Restatements.DeclineRestatementAsync(new DeclineRestatementRequest { RestatementId = offer.RestatementId, Reason = "runs anew" }, cancellationToken: Token);
        await world.ReportAsync(binding, "2026-01-31", 2);
        await world.LookedAsync();

        Assert.Equal("declined", Assert.Single((await world.Restatements.ListRestatementsAsync(new ListRestatementsRequest { State = "all" }, cancellationToken: Token)).Restatements).State);
    }

    [Fact]
    public async Task An_offer_that_nobody_accepted_gives_way_to_a_later_one_of_its_dates_and_lapses_in_its_time()
    {
        await using var world = await RestatementWorld.StartAsync();
        var binding = await world.BindAsync("twice", OnTable);
        await world.RefreshAsync("GDP_A", "load-1", "2026-02-01");
        await world.ReportAsync(binding, "2026-01-31", 1);
        await world.RefreshAsync("GDP_A", "load-2", "2026-02-01");
        var first = await world.OfferAsync(binding);
        await world.RefreshAsync("GDP_A", "load-3", "2026-02-01");
        await world.Leases.UntilAsync("SELECT state = 'superseded' FROM kpi_restatement WHERE restatement_id = @RestatementId", first);
        var second = await world.OfferAsync(binding);
        Assert.Equal(("load-3", second.RestatementId), (second.Cause.SourceRun, (await world.GetAsync(first.RestatementId)).SupersededBy));
        var refused = await Refusals.OfAsync(world.AcceptAsync(first.RestatementId));
        Assert.Equal((StatusCode.FailedPrecondition, "RESTATEMENT_CLOSED"), (refused.StatusCode, refused.Info().Reason));
        Assert.Contains($"decide on restatement {second.RestatementId}", refused.Status.Detail, StringComparison.Ordinal);

        await world.Leases.ExecuteAsync("ALTER TABLE kpi_restatement DISABLE TRIGGER is_decided; UPDATE kpi_restatement SET offered_at = now() - interval '2 days', expires_at = now() - interval '1 day' WHERE restatement_id = @RestatementId; ALTER TABLE kpi_restatement ENABLE TRIGGER is_decided", second);

        Assert.Equal("RESTATEMENT_CLOSED", (await Refusals.OfAsync(world.AcceptAsync(second.RestatementId))).Info().Reason);
        var late = await Refusals.OfAsync(world.Restatements.DeclineRestatementAsync(new DeclineRestatementRequest { RestatementId = second.RestatementId, Reason = "known" }, cancellationToken: Token));
        Assert.StartsWith("The offer lapsed at ", late.Status.Detail, StringComparison.Ordinal);
        await world.Leases.UntilAsync("SELECT state = 'expired' AND closed_at = expires_at AND closed_by = 'system' FROM kpi_restatement WHERE restatement_id = @RestatementId", second);
        Assert.Equal(2, (await world.Restatements.ListRestatementsAsync(new ListRestatementsRequest { State = "closed" }, cancellationToken: Token)).Restatements.Count);
    }

    [Fact]
    public async Task However_many_nodes_look_at_a_late_refresh_one_offer_is_made_of_it()
    {
        await using var world = await RestatementWorld.StartAsync();
        foreach (var node in new[] { "node-2", "node-3" })
            await world.Leases.AddNodeAsync(node, ("Restatements:LookEvery", "00:00:00.05"), ("Restatements:LookAgainEvery", "00:00:00.05"));
        var binding = await world.BindAsync("many_eyes", OnTable);
        await world.RefreshAsync("GDP_A", "load-1", "2026-02-01");
        await world.ReportAsync(binding, "2026-01-31", 1);
        for (var load = 2; load <= 6; load++)
        {
            await world.RefreshAsync("GDP_A", $"load-{load}", "2026-02-01");
            await world.Leases.UntilAsync("SELECT count(*) = @load - 1 FROM kpi_restatement", new { load });
        }
        await world.LookedAsync();

        Assert.Equal("4 1", await world.Leases.OneAsync<string>("SELECT count(*) FILTER (WHERE state = 'superseded') || ' ' || count(*) FILTER (WHERE state = 'offered') FROM kpi_restatement"));
    }

    [Theory]
    [InlineData("UTC", "2026-02-01T00:00:00Z", null, "2026-01-31 2026-01-31")]
    [InlineData("UTC", "2026-02-01T05:59:59Z", null, "2026-01-31 2026-01-31")]
    [InlineData("UTC", "2026-02-01T00:00:00Z", "2026-01-15T08:00:00Z", "2026-01-15 2026-01-31")]
    // Midnight in UTC is the evening before in New York: that day has not ended.
    [InlineData("America/New_York", "2026-02-01T00:00:00Z", null, "2026-01-30 2026-01-30")]
    [InlineData("America/New_York", "2026-02-01T05:00:00Z", "2026-01-15T04:59:59Z", "2026-01-14 2026-01-31")]
    // A clock that skips midnight: the day ends when the next one begins.
    [InlineData("Africa/Cairo", "2026-04-23T22:00:00Z", null, "2026-04-23 2026-04-23")]
    [InlineData("Africa/Cairo", "2026-04-23T21:59:59Z", null, "2026-04-22 2026-04-22")]
    // All of the change lies in a day that has not ended.
    [InlineData("UTC", "2026-02-01T12:00:00Z", "2026-02-01T06:00:00Z", null)]
    [InlineData("Mars/Olympus", "2026-02-01T00:00:00Z", null, null)]
    public void The_dates_in_question_are_those_of_the_jobs_own_zone(string zone, string through, string? from, string? expected)
    {
        var dates = RestatementOffers.DatesOf(new LateRefresh { DataThrough = At(through), ChangedFrom = from is null ? null : At(from) }, zone);

        Assert.Equal(expected, dates is { } found ? $"{found.First:yyyy-MM-dd} {found.Last:yyyy-MM-dd}" : null);

        static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
    }

    [Fact]
    public async Task A_change_that_did_not_begin_before_its_end_or_is_older_than_ten_years_is_refused()
    {
        await using var world = await RestatementWorld.StartAsync();
        foreach (var from in new[] { "2026-02-01", "2026-02-02", "2015-12-31" })
        {
            var refused = await Refusals.OfAsync(world.RefreshAsync("GDP_A", "load-1", "2026-02-01", from));
            Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
            Assert.Contains("changed_from", refused.Status.Detail, StringComparison.Ordinal);
        }
    }
}
