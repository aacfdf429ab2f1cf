using Grpc.Core;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Tests.Runs;

public sealed class RunHistoryTests : IAsyncLifetime
{
    private static readonly CancellationToken Token = CancellationToken.None;
    private RunWorld world = null!;

    public async ValueTask InitializeAsync() => world = await RunWorld.CreateAsync();

    public ValueTask DisposeAsync() => world.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Pages_show_each_run_once_newest_first(bool ofOneJob)
    {
        var expected = new List<long>();
        for (var day = 2; day <= 8; day++)
            expected.Insert(0, await world.RunAsync($"2026-01-0{day}T02:00:00Z"));

        var seen = new List<long>();
        var request = new ListRunsRequest { BindingId = ofOneJob ? world.Binding : 0, PageSize = 3 };
        do
        {
            var page = await world.Reads.ListAsync(RunWorld.Viewer, request, Token);
            seen.AddRange(page.Runs.Select(r => r.RunId));
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        Assert.Equal(expected, seen);
    }

    [Fact]
    public async Task A_filter_chooses_and_an_unknown_field_is_named()
    {
        await world.RunAsync("2026-01-02T02:00:00Z", "failed", code: "SQL_ERROR");
        var skipped = await world.RunAsync("2026-01-03T02:00:00Z", "skipped", reason: "paused");
        var found = await world.Reads.ListAsync(RunWorld.Viewer, new() { BindingId = world.Binding, Filter = "status = skipped AND business_date = 2026-01-02" }, Token);
        Assert.Equal([skipped], found.Runs.Select(r => r.RunId));
        var refused = await Assert.ThrowsAsync<RpcException>(() => world.Reads.ListAsync(RunWorld.Viewer, new() { Filter = "colour = red" }, Token));
        Assert.Contains("colour", refused.Status.Detail);
    }

    [Fact]
    public async Task Another_tenants_run_is_not_found_in_the_words_of_one_that_does_not_exist()
    {
        var run = await world.RunAsync("2026-01-02T02:00:00Z");
        var theirs = await Assert.ThrowsAsync<RpcException>(() => world.Reads.GetAsync(RunWorld.Stranger, new() { RunId = run }, Token));
        var none = await Assert.ThrowsAsync<RpcException>(() => world.Reads.GetAsync(RunWorld.Stranger, new() { RunId = run + 1 }, Token));
        Assert.Equal(StatusCode.NotFound, theirs.StatusCode);
        Assert.Equal(none.Status.Detail, theirs.Status.Detail.Replace($"{run}", $"{run + 1}", StringComparison.Ordinal));
        Assert.Empty((await world.Reads.ListAsync(RunWorld.Stranger, new(), Token)).Runs);
    }

    [Fact]
    public async Task A_run_is_found_by_its_attempt_with_evidence_and_late_reports_and_points_only_for_those_who_inspect()
    {
        var attempt = Guid.CreateVersion7();
        var run = await world.RunAsync("2026-01-02T02:00:00Z", attempt: attempt);
        await EvidenceAsync(run, attempt, "run", """
            {"attempt_id": "x", "status": "success", "executor": "sql/duckdb", "points": [{"period": "2026-01", "metric": "dso_days", "value": 41.5}],
             "lineage": {"sources": [{"type": "gdp", "name": "GDP_Sales", "version": "7"}], "sql_hash": "sha256:1"}, "validations": [{"rule_id": "r1", "stage": "post", "passed": true}],
             "definition_hash": "sha256:d", "contract_digest": "sha256:c", "schema_version": "1.0", "agent": "agent-eu", "session_id": 3, "call": {"kpi_id": "CFO-EF-02"}, "later": 1}
            """);
        await EvidenceAsync(run - 1, Guid.CreateVersion7(), "stale_fence", """
            {"slot_key": "schedule:2026-01-02T02:00:00Z", "status": "success", "fence": {"epoch": 1, "number": 4}, "detail": "fence (1, 4) is behind (1, 5)"}
            """);

        var mine = await world.Reads.GetAsync(RunWorld.Admin, new() { AttemptId = attempt.ToString() }, Token);
        Assert.Equal(run, mine.Run.RunId);
        Assert.Equal("schedule:2026-01-02T02:00:00Z", mine.Run.SlotKey);
        Assert.Equal(41.5, Assert.Single(mine.Evidence.Points).Value);
        Assert.Equal("GDP_Sales", Assert.Single(mine.Evidence.Lineage.Sources).Name);
        Assert.Equal("CFO-EF-02", mine.Evidence.Call.Fields["kpi_id"].StringValue);
        Assert.Equal("fence (1, 4) is behind (1, 5)", Assert.Single(mine.Evidence.StaleReports).Detail);
        var shown = await world.Reads.GetAsync(RunWorld.Viewer, new() { RunId = run }, Token);
        Assert.Empty(shown.Evidence.Points);
        Assert.Equal("agent-eu", shown.Evidence.Agent);
    }

    [Fact]
    public async Task A_preview_says_when_in_both_clocks()
    {
        var after = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(new DateTimeOffset(2026, 3, 28, 0, 0, 0, TimeSpan.Zero));
        var answer = await world.Reads.PreviewAsync(RunWorld.Viewer, new() { Expression = "30 2 * * *", Timezone = "Europe/Berlin", After = after, Count = 2 }, Token);
        Assert.Equal(["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00"], answer.FireTimes.Select(f => f.Local));
        Assert.Equal(5, (await world.Reads.PreviewAsync(RunWorld.Viewer, new() { BindingId = world.Binding }, Token)).FireTimes.Count);
        var refused = await Assert.ThrowsAsync<RpcException>(() => world.Reads.PreviewAsync(RunWorld.Viewer, new() { Expression = "61 * * * *" }, Token));
        Assert.StartsWith("expression", refused.Status.Detail);
    }

    private Task EvidenceAsync(long run, Guid attempt, string kind, string document) => world.ExecuteAsync(
        "INSERT INTO kpi_evidence (run_id, binding_id, tenant_id, attempt_id, kind, document) VALUES (@run, @Binding, 'acme', @attempt, @kind, @document::jsonb)",
        new { run, world.Binding, attempt, kind, document });
}
