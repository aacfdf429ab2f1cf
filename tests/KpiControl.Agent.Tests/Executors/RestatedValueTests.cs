using KpiControl.Agent.Executors;

namespace KpiControl.Agent.Tests.Executors;

/// <summary>What is restated stands beside what was reported: in another view of the same table, and nothing of the one is touched by the other.</summary>
public sealed class RestatedValueTests
{
    private const string Everything = "SELECT CAST(t AS TEXT) FROM (SELECT kpi_id, period, CAST(dimensions AS TEXT) AS dimensions, metric, revision, value, CAST(extensions AS TEXT) AS extensions, attempt, fence_n, computed_at FROM kpi_values WHERE scd_view = 'as_reported') AS t ORDER BY 1";

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task A_restated_run_of_a_date_writes_its_own_view_and_leaves_every_reported_row_as_it_was(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        await RunAsync(warehouse, "dso_daily.yaml", "2024-12-31", "schedule:1");
        var reported = await RowsAsync(warehouse);

        var restated = await RunAsync(warehouse, "dso_daily.yaml", "2024-12-31", "restatement:1", restated: true);

        Assert.NotEmpty(reported);
        Assert.Equal(reported, await RowsAsync(warehouse));
        new Expected(new Figures(Samples.Data).DaysSalesOutstanding(restated: true), "month", "company_id").Check(restated.Points, null, new DateOnly(2025, 1, 1), "MoM");
        var views = await warehouse.Query("SELECT scd_view, COUNT(*) FROM kpi_values GROUP BY 1 ORDER BY 1");
        Assert.Equal(["as_reported", "restated"], views.Select(row => (string)row[0]!));
        Assert.Equal(views[0][1], views[1][1]);

        // Once more: the same numbers, so no revision; and what is reported later of the date leaves the restated rows alone.
        await RunAsync(warehouse, "dso_daily.yaml", "2024-12-31", "restatement:2", restated: true);
        await RunAsync(warehouse, "dso_daily.yaml", "2024-12-31", "replay:1");
        Assert.Equal(views.Select(row => row[1]), (await warehouse.Query("SELECT scd_view, COUNT(*) FROM kpi_values GROUP BY 1 ORDER BY 1")).Select(row => row[1]));
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task A_restated_KPI_of_KPIs_takes_a_point_as_it_was_restated_and_else_as_it_was_reported(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        foreach (var job in new[] { "jobs_by_sector.yaml", "unemployment_by_industry.yaml", "jobs_diffusion.yaml", "unemployment_monthly.yaml" })
            await RunAsync(warehouse, job, "2010-02-28", "schedule:1");
        await RunAsync(warehouse, "labour_market_index.yaml", "2010-02-28", "schedule:1");
        var reported = await RowsAsync(warehouse);

        // Nobody restated what is below: the same numbers, in the other view.
        await RunAsync(warehouse, "labour_market_index.yaml", "2010-02-28", "restatement:1", restated: true);
        Assert.Empty(await DifferencesAsync(warehouse));

        await warehouse.Query("""
            INSERT INTO kpi_values (tenant_id, environment, kpi_id, contract_version, scd_view, filters, period, dimensions, metric, revision, value, extensions, attempt, fence_epoch, fence_n)
            SELECT tenant_id, environment, kpi_id, contract_version, 'restated', filters, period, dimensions, metric, 1, value * 2, extensions, attempt, fence_epoch, fence_n
            FROM kpi_values WHERE kpi_id = 'CHR-UN-01' AND period = '2007-03' AND scd_view = 'as_reported'
            """);
        await RunAsync(warehouse, "labour_market_index.yaml", "2010-02-28", "restatement:2", restated: true);

        Assert.Contains("2007-03", await DifferencesAsync(warehouse));
        Assert.DoesNotContain("2007-02", await DifferencesAsync(warehouse));
        await RunAsync(warehouse, "labour_market_index.yaml", "2010-02-28", "replay:1");
        Assert.Equal(reported, await RowsAsync(warehouse));
    }

    private static async Task<IReadOnlyList<string>> DifferencesAsync(Warehouse warehouse) => [.. (await warehouse.Query("""
        SELECT DISTINCT a.period FROM (SELECT DISTINCT ON (period, metric) period, metric, value FROM kpi_values WHERE kpi_id = 'CHR-LM-01' AND scd_view = 'as_reported' ORDER BY period, metric, revision DESC) AS a
        FULL JOIN (SELECT DISTINCT ON (period, metric) period, metric, value FROM kpi_values WHERE kpi_id = 'CHR-LM-01' AND scd_view = 'restated' ORDER BY period, metric, revision DESC) AS r
          ON a.period = r.period AND a.metric = r.metric WHERE a.value IS DISTINCT FROM r.value ORDER BY 1
        """)).Select(row => (string)row[0]!)];

    private static async Task<IReadOnlyList<string>> RowsAsync(Warehouse warehouse) => [.. (await warehouse.Query(Everything)).Select(row => (string)row[0]!)];

    private static async Task<Outcome> RunAsync(Warehouse warehouse, string job, string date, string slot, bool restated = false)
    {
        var outcome = await warehouse.Executor.ExecuteAsync(
            Samples.Lease(job, date, slot, callEdit: call => restated ? call.Replace("\"scd_view\":\"as_reported\"", "\"scd_view\":\"restated\"", StringComparison.Ordinal) : call), default, default);
        Assert.True(outcome.Status == "success", $"{job}: {outcome.Status} {outcome.ErrorCode} {outcome.ErrorMessage}");
        return outcome;
    }
}
