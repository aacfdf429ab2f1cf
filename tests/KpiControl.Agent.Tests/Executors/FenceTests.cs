using System.Text.RegularExpressions;
using KpiControl.Agent.Executors;
using KpiControl.Agent.Secrets;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Agent.Tests.Executors;

/// <summary>What is written once, and what a late, repeated or failing attempt leaves alone.</summary>
public sealed class FenceTests
{
    private const string Count = "SELECT COUNT(*) FROM kpi_values";

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task A_stale_fence_writes_nothing(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        var later = await RunAsync(warehouse, Samples.Lease("renewable_share_yearly.yaml", "2016-12-31", epoch: 2, fence: 5));
        Assert.Equal("success", later.Status);
        foreach (var (epoch, number) in new[] { (2, 4L), (1, 900L) })
        {
            var late = await RunAsync(warehouse, Samples.Lease("renewable_share_yearly.yaml", "2017-12-31", epoch: epoch, fence: number));
            Assert.Equal(("failed", "platform", "CONFLICT"), (late.Status, late.ErrorCategory, late.ErrorCode));
            Assert.Empty(late.Points);
        }
        Assert.Equal(16L, await CountAsync(warehouse));
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task The_same_attempt_again_and_a_later_one_make_no_second_value(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        var lease = Samples.Lease("unemployment_by_industry.yaml", "2010-02-28", epoch: 1, fence: 1);
        await RunAsync(warehouse, lease);
        var rows = await CountAsync(warehouse);
        Assert.Equal(1708L, rows);
        var again = await RunAsync(warehouse, lease);
        Assert.Equal("success", again.Status);
        Assert.NotEmpty(again.Warnings);
        Assert.Equal("success", (await RunAsync(warehouse, Samples.Lease("unemployment_by_industry.yaml", "2010-02-28", epoch: 1, fence: 2))).Status);
        Assert.Equal("success", (await RunAsync(warehouse, Samples.Lease("unemployment_by_industry.yaml", "2010-02-28", slot: "manual:2", epoch: 1, fence: 3))).Status);
        Assert.Equal(rows, await CountAsync(warehouse));
    }

    [Fact]
    public async Task One_changed_cell_revises_exactly_the_values_that_depend_on_it()
    {
        foreach (var engine in new[] { "postgresql", "duckdb" })
        {
            using var copy = new DataCopy();
            await using var warehouse = await Warehouse.CreateAsync(engine, copy.Path);
            await RunAsync(warehouse, Samples.Lease("unemployment_by_industry.yaml", "2010-02-28"));
            await RunAsync(warehouse, Samples.Lease("unemployment_monthly.yaml", "2010-02-28"));
            copy.Edit("unemployment-across-industries.csv", "Government,2003,5,", line => line.Replace($",{line.Split(',')[3]},", ",999,", StringComparison.Ordinal));
            await warehouse.ReloadAsync(copy.Path);
            await RunAsync(warehouse, Samples.Lease("unemployment_by_industry.yaml", "2010-02-28", slot: "manual:2"));
            await RunAsync(warehouse, Samples.Lease("unemployment_monthly.yaml", "2010-02-28", slot: "manual:2"));
            var revised = await warehouse.Query("SELECT period, CAST(dimensions AS TEXT) FROM kpi_values WHERE revision > 1 ORDER BY 1, 2");
            // An industry's own rate does not depend on its count; the rate of all does, and the two that are compared with it.
            Assert.Equal([("2003-05", "{}"), ("2003-06", "{}"), ("2004-05", "{}")], revised.Select(row => ((string)row[0]!, (string)row[1]!)));
        }
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task A_point_that_is_gone_is_withdrawn_and_its_return_is_a_revision(string engine)
    {
        using var copy = new DataCopy();
        await using var warehouse = await Warehouse.CreateAsync(engine, copy.Path);
        await RunAsync(warehouse, Samples.Lease("jobs_by_sector.yaml", "2015-12-31"));
        var text = copy.Edit("us-employment.csv", "2015-12-01,", _ => null);
        await warehouse.ReloadAsync(copy.Path);
        await RunAsync(warehouse, Samples.Lease("jobs_by_sector.yaml", "2015-12-31", slot: "manual:2"));
        var withdrawn = await warehouse.Query("SELECT period, revision, value, extensions FROM kpi_values WHERE revision > 1");
        Assert.Equal(11, withdrawn.Count);
        Assert.All(withdrawn, row => Assert.Equal(("2015-12", 2, null, null), ((string)row[0]!, (int)row[1]!, row[2], row[3])));
        var index = await RunAsync(warehouse, Samples.Lease("jobs_diffusion.yaml", "2015-12-31"));
        Assert.Equal("2015-11", index.Points[^1].Period);
        copy.Write("us-employment.csv", text);
        await warehouse.ReloadAsync(copy.Path);
        await RunAsync(warehouse, Samples.Lease("jobs_by_sector.yaml", "2015-12-31", slot: "manual:3"));
        Assert.Equal(11L, Convert.ToInt64((await warehouse.Query("SELECT COUNT(*) FROM kpi_values WHERE revision = 3 AND value IS NOT NULL"))[0][0]));
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task Jobs_that_ask_for_different_extensions_share_their_points_in_peace(string engine)
    {
        using var copy = new DataCopy();
        await using var warehouse = await Warehouse.CreateAsync(engine, copy.Path);
        async Task<long> RunBothAsync(string slot)
        {
            foreach (var extensions in new[] { """{"time":["MoM"]}""", """{"time":["YoY"]}""" })
            {
                var lease = Samples.Lease("unemployment_monthly.yaml", "2010-02-28", slot: $"manual:{slot}{extensions.Length}{extensions[10]}",
                    callEdit: call => Regex.Replace(call, "\"extensions\":\\{[^}]*\\}", $"\"extensions\":{extensions}"));
                Assert.Equal("success", (await RunAsync(warehouse, lease)).Status);
            }
            return await CountAsync(warehouse);
        }

        var rows = await RunBothAsync("1");
        Assert.Equal(2 * 122L, rows); // the second adds its own to each point
        Assert.Equal(rows, await RunBothAsync("2"));
        Assert.Equal(rows, await RunBothAsync("3"));
        var latest = await warehouse.Query("SELECT CAST(extensions AS TEXT) FROM kpi_values WHERE period = '2010-02' ORDER BY revision DESC LIMIT 1");
        Assert.Contains("MoM", (string)latest[0][0]!, StringComparison.Ordinal);
        Assert.Contains("YoY", (string)latest[0][0]!, StringComparison.Ordinal);

        copy.Edit("unemployment-across-industries.csv", "Government,2003,5,", line => line.Replace($",{line.Split(',')[3]},", ",999,", StringComparison.Ordinal));
        await warehouse.ReloadAsync(copy.Path);
        // May 2003 starts over and is completed; the month after has another MoM, the year after another YoY.
        var changed = await RunBothAsync("4");
        Assert.Equal(rows + 4, changed);
        Assert.Equal(changed, await RunBothAsync("5"));
    }

    [Fact]
    public async Task Slots_of_one_job_at_once_give_their_values_each_in_its_turn()
    {
        const int Slots = 6;
        await using var warehouse = await Warehouse.CreateAsync("postgresql", Samples.Data);
        await RunAsync(warehouse, Samples.Lease("renewable_share_yearly.yaml", "2017-12-31"));
        await using var gate = await warehouse.Database!.OpenAsync();
        await using var held = await gate.BeginTransactionAsync();
        await using (var hold = new NpgsqlCommand("LOCK TABLE kpi_values IN SHARE MODE", gate))
            await hold.ExecuteNonQueryAsync();

        // All have computed, and none has written: let go at one moment, each would take the first revision.
        var running = Enumerable.Range(1, Slots).Select(slot => RunAsync(warehouse, Samples.Lease("unemployment_monthly.yaml", "2010-02-28", slot: $"backfill:{slot}", epoch: 1, fence: slot))).ToList();
        await Eventually.ComesAsync("all that write wait", async _ =>
            Convert.ToInt64((await warehouse.Query("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"))[0][0]) == Slots ? "" : null);
        await held.CommitAsync();
        var outcomes = await Task.WhenAll(running);

        Assert.All(outcomes, outcome => Assert.True(outcome.Status == "success", $"{outcome.Status} {outcome.ErrorCode} {outcome.ErrorMessage}"));
        // The others found their points there, and the same: a revision is of what changed.
        Assert.Equal((122L, 1L), (await warehouse.Query("SELECT COUNT(*), CAST(MAX(revision) AS bigint) FROM kpi_values WHERE fence_epoch = 1 AND period LIKE '____-__'"))[0] is [long count, long revision] ? (count, revision) : default);
    }

    [Fact]
    public async Task Runs_at_once_on_one_DuckDB_file_do_not_meet_each_others_transactions()
    {
        await using var warehouse = await Warehouse.CreateAsync("duckdb", Samples.Data);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => RunAsync(warehouse, Samples.Lease(
            i % 2 == 0 ? "renewable_share_yearly.yaml" : "unemployment_monthly.yaml", i % 2 == 0 ? "2017-12-31" : "2010-02-28", slot: $"manual:{i}"))));
        Assert.All(outcomes, outcome => Assert.True(outcome.Status == "success", $"{outcome.Status} {outcome.ErrorCode} {outcome.ErrorMessage}"));
        Assert.Equal(17 + 122L, await CountAsync(warehouse));
    }

    [Fact]
    public async Task The_warehouses_password_is_in_nothing_that_leaves()
    {
        await using var warehouse = await Warehouse.CreateAsync("postgresql", Samples.Data);
        var outcome = await RunAsync(warehouse, Samples.Lease("renewable_share_yearly.yaml", "2017-12-31"));
        Assert.StartsWith("env:", Assert.Single(outcome.Secrets).Reference);
        var redactor = new Redactor();
        redactor.Add(warehouse.Password!);
        var said = System.Text.Json.JsonSerializer.Serialize(outcome);
        Assert.Equal(said, redactor.Redact(said));
    }

    private static Task<Outcome> RunAsync(Warehouse warehouse, LeasedCall lease) => warehouse.Executor.ExecuteAsync(lease, default, default);

    private static async Task<long> CountAsync(Warehouse warehouse) => Convert.ToInt64((await warehouse.Query(Count))[0][0]);
}
