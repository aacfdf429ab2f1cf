using KpiControl.Agent.Executors;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Agent.Tests.Executors;

/// <summary>The stages before kpi on real warehouses: what they load and build, once, behind the fence, and what they pass over.</summary>
public sealed class StageTests
{
    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task Raw_plus_gdp_loads_the_file_and_builds_the_table(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);

        var loaded = await RunAsync(warehouse, StageSamples.Lease("invoices_load"));

        Assert.Equal(("success", ""), (loaded.Status, loaded.ErrorMessage));
        Assert.Equal(["ingestion RAW_Invoices succeeded 722", "raw RAW_Invoices succeeded 722", "gdp GDP_Invoices succeeded 576"], Told(loaded));
        Assert.Equal(["raw.finance.ar.invoices.v1@1.0.0", "raw.finance.ar.invoices.v1@1.0.0", "gdp.finance.ar.invoices.v1@1.0.0"], loaded.Stages.Select(stage => $"{stage.ContractId}@{stage.ContractVersion}"));
        Assert.Equal("2025-01-01", loaded.Stages[^1].DataUntil);
        Assert.StartsWith("rows:576 hash:", loaded.Stages[^1].Version, StringComparison.Ordinal);
        Assert.Equal((576L, 0), (loaded.RowsProcessed, loaded.DataPoints));
        // To the cent, and with its type.
        var sums = (await warehouse.Query("SELECT company_id, CAST(SUM(amount) AS VARCHAR) FROM GDP_Invoices WHERE invoice_date BETWEEN DATE '2024-03-01' AND DATE '2024-03-31' GROUP BY 1"))
            .ToDictionary(row => (string)row[0]!, row => decimal.Parse((string)row[1]!, System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(StageSamples.Invoiced(Samples.Data).Where(one => one.Key.Month == "2024-03").ToDictionary(one => one.Key.Company, one => one.Value), sums);
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task The_KPI_is_computed_from_what_the_stages_made(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        await RunAsync(warehouse, StageSamples.Lease("invoices_load"));

        var monthly = await RunAsync(warehouse, StageSamples.Lease("invoices_monthly"));

        Assert.Equal("success", monthly.Status);
        var expected = StageSamples.Invoiced(Samples.Data);
        Assert.Equal(expected.Count, monthly.Points.Count);
        Assert.All(monthly.Points, point => Assert.Equal((double)expected[(point.Dimensions["company_id"], point.Period)], point.Value, 1e-6));
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task All_four_stages_run_in_one_attempt(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);

        var all = await RunAsync(warehouse, StageSamples.Lease("invoices_monthly", run: run => run with { Profile = null, StageSet = ["kpi", "gdp", "raw", "ingestion"] }));

        Assert.Equal("success", all.Status);
        Assert.Equal(["ingestion", "raw", "gdp", "kpi"], all.Stages.Select(stage => stage.Stage));
        Assert.Equal(72, all.DataPoints);
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task Again_and_by_a_later_attempt_no_row_stands_twice(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        var lease = StageSamples.Lease("invoices_load");
        await RunAsync(warehouse, lease);

        var (again, later) = (await RunAsync(warehouse, lease), await RunAsync(warehouse, StageSamples.Lease("invoices_load")));

        Assert.Equal(("success", "success"), (again.Status, later.Status));
        Assert.Equal((722L, 576L), (await CountAsync(warehouse, "RAW_Invoices"), await CountAsync(warehouse, "GDP_Invoices")));
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task A_stale_fence_changes_nothing_whatever_occurrence_it_was_for(string engine)
    {
        using var copy = new DataCopy();
        await using var warehouse = await Warehouse.CreateAsync(engine, copy.Path);
        await RunAsync(warehouse, StageSamples.Lease("invoices_load", fence: 20, slot: "schedule:2"));
        copy.Edit("sales.csv", "PARENT,PARENT-202301-01,", _ => null);

        var late = await RunAsync(warehouse, StageSamples.Lease("invoices_load", fence: 10, slot: "schedule:1"));

        Assert.Equal(("failed", "CONFLICT"), (late.Status, late.ErrorCode));
        Assert.Equal(["failed", "skipped", "skipped"], late.Stages.Select(stage => stage.Status));
        Assert.Equal((722L, 722L, 576L), (await CountAsync(warehouse, "RAW_Invoices__landing"), await CountAsync(warehouse, "RAW_Invoices"), await CountAsync(warehouse, "GDP_Invoices")));
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task A_file_that_fails_half_way_leaves_the_table_as_it_was(string engine)
    {
        using var copy = new DataCopy();
        await using var warehouse = await Warehouse.CreateAsync(engine, copy.Path);
        await RunAsync(warehouse, StageSamples.Lease("invoices_load"));
        copy.Edit("sales.csv", "PARENT,PARENT-202301-01,", line => line.Replace("2023-01-08", "the eighth", StringComparison.Ordinal));

        var failed = await RunAsync(warehouse, StageSamples.Lease("invoices_load"));

        Assert.Equal(("failed", "SCHEMA_MISMATCH"), (failed.Status, failed.ErrorCode));
        Assert.Equal(["succeeded", "failed", "skipped"], failed.Stages.Select(stage => stage.Status));
        Assert.DoesNotContain("eighth", failed.ErrorMessage, StringComparison.Ordinal);
        Assert.Equal(722L, await CountAsync(warehouse, "RAW_Invoices"));
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task A_key_that_stands_twice_is_refused(string engine)
    {
        using var copy = new DataCopy();
        await using var warehouse = await Warehouse.CreateAsync(engine, copy.Path);
        copy.Edit("sales.csv", "PARENT,PARENT-202301-01,", line => $"{line}\n{line}");

        var failed = await RunAsync(warehouse, StageSamples.Lease("invoices_load"));

        Assert.Equal("SCHEMA_MISMATCH", failed.ErrorCode);
        Assert.Contains("1 keys (company_id, invoice_id, ledger_type, revision) stand twice", failed.ErrorMessage, StringComparison.Ordinal);
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task Pre_fill_loads_the_raw_table_and_nothing_else(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);

        var filled = await RunAsync(warehouse, StageSamples.Lease("invoices_pre_fill"));

        Assert.Equal("success", filled.Status);
        Assert.Equal(["ingestion RAW_Invoices succeeded 722", "raw RAW_Invoices succeeded 722"], Told(filled));
        Assert.Equal(["raw_invoices", "raw_invoices__landing"], await TablesAsync(warehouse));
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task Backfill_builds_its_window_and_leaves_the_rest(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        await RunAsync(warehouse, StageSamples.Lease("invoices_load"));
        // Both were wrong; only the one within the window comes right.
        await warehouse.Query("DELETE FROM GDP_Invoices WHERE invoice_date >= DATE '2024-07-01' OR invoice_date < DATE '2023-02-01'");

        var backfilled = await RunAsync(warehouse, StageSamples.Lease("invoices_backfill"));

        Assert.Equal("success", backfilled.Status);
        Assert.Equal(["gdp GDP_Invoices succeeded 144", "kpi  succeeded 18"], Told(backfilled));
        Assert.Equal(["2024-07", "2024-12"], new[] { backfilled.Points[0].Period, backfilled.Points[^1].Period });
        Assert.Equal(("2024-07-01", "2025-01-01"), (backfilled.Stages[0].ChangedFrom, backfilled.Stages[0].DataUntil));
        Assert.Equal(576L - 24, await CountAsync(warehouse, "GDP_Invoices"));
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task A_skeleton_checks_everything_and_moves_nothing(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        var before = await RunAsync(warehouse, StageSamples.Lease("invoices_skeleton"));
        Assert.Equal("partial", before.Status);
        Assert.Equal(["ingestion RAW_Invoices succeeded 0", "raw RAW_Invoices succeeded 0", "gdp GDP_Invoices skipped 0", "kpi  skipped 0"], Told(before));
        Assert.Empty(await TablesAsync(warehouse));
        await RunAsync(warehouse, StageSamples.Lease("invoices_load"));

        var after = await RunAsync(warehouse, StageSamples.Lease("invoices_skeleton"));

        Assert.Equal("success", after.Status);
        Assert.All(after.Stages, stage => Assert.Equal(("succeeded", ""), (stage.Status, stage.DataUntil)));
        Assert.Empty(after.Points);
        Assert.Equal(0L, await CountAsync(warehouse, "kpi_values"));
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task A_skeleton_finds_a_table_and_a_statement_that_do_not_fit(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        await RunAsync(warehouse, StageSamples.Lease("invoices_load"));

        var wrong = await RunAsync(warehouse, StageSamples.Lease("invoices_skeleton", edit: one => Edited(one, "RAW_Invoices\\n", "RAW_Invoices r JOIN nowhere ON true\\n")));
        await warehouse.Query("DROP TABLE GDP_Invoices");
        await warehouse.Query("CREATE TABLE GDP_Invoices (company_id TEXT, amount INTEGER)");
        var other = await RunAsync(warehouse, StageSamples.Lease("invoices_skeleton"));

        Assert.Equal(("failed", "MISSING_GDP"), (wrong.Status, wrong.ErrorCode));
        Assert.Equal(("failed", "SCHEMA_MISMATCH"), (other.Status, other.ErrorCode));
        Assert.Contains("company_id", other.ErrorMessage, StringComparison.Ordinal);
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task What_is_not_ready_is_passed_over_with_its_reason_and_the_others_run(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        await RunAsync(warehouse, StageSamples.Lease("invoices_load"));

        var noContract = await RunAsync(warehouse, StageSamples.Lease("invoices_load", edit: one => one.ContractType == "raw" ? new LeasedDataset { ContractType = "raw", Dataset = one.Dataset } : one));
        var noFile = await RunAsync(warehouse, StageSamples.Lease("invoices_load", edit: one => Edited(one, "sales.csv", "sold.csv")));

        Assert.Equal(("partial", "partial"), (noContract.Status, noFile.Status));
        Assert.Equal(["skipped", "skipped", "succeeded"], noContract.Stages.Select(stage => stage.Status));
        Assert.Equal("RAW_Invoices has no active contract of type raw", noContract.Stages[0].Reason);
        Assert.Equal("the data directory has no file sold.csv", noFile.Stages[0].Reason);
        // What was ingested before is loaded again.
        Assert.Equal(["skipped", "succeeded", "succeeded"], noFile.Stages.Select(stage => stage.Status));
        Assert.Contains(noFile.Warnings, warning => warning.Contains("sold.csv", StringComparison.Ordinal));
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task Where_no_stage_is_ready_nothing_ran(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);

        var nothing = await RunAsync(warehouse, StageSamples.Lease("invoices_load", edit: one => Edited(one, "sales.csv", "sold.csv")));

        Assert.Equal(("skipped", "NOT_READY"), (nothing.Status, nothing.ErrorCode));
        Assert.Equal(["the data directory has no file sold.csv", "nothing was ingested for it yet", "the warehouse has no table RAW_Invoices"], nothing.Stages.Select(stage => stage.Reason));
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task A_view_is_somebody_elses_and_is_not_filled(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        await RunAsync(warehouse, StageSamples.Lease("invoices_pre_fill"));
        await warehouse.Query("CREATE VIEW GDP_Invoices AS SELECT company_id, invoice_id, invoice_date, customer_id, amount FROM RAW_Invoices");

        var built = await RunAsync(warehouse, StageSamples.Lease("invoices_load"));

        Assert.Equal("partial", built.Status);
        Assert.Equal("GDP_Invoices is a view in the warehouse, and not a table that can be filled", built.Stages[^1].Reason);
    }

    [Fact]
    public async Task A_file_beyond_the_data_directory_is_not_read()
    {
        using var copy = new DataCopy();
        File.CreateSymbolicLink(Path.Combine(copy.Path, "link.csv"), Path.Combine(Samples.Data, "sales.csv"));
        await using var warehouse = await Warehouse.CreateAsync("postgresql", copy.Path);

        var linked = await RunAsync(warehouse, StageSamples.Lease("invoices_load", edit: one => Edited(one, "sales.csv", "link.csv")));
        var above = await RunAsync(warehouse, StageSamples.Lease("invoices_load", edit: one => Edited(one, "sales.csv", "../sales.csv")));

        Assert.Equal("link.csv is a link that leads out of the data directory", linked.Stages[0].Reason);
        Assert.Equal("SCHEMA_MISMATCH", above.ErrorCode);
    }

    [Fact]
    public async Task A_run_that_is_cancelled_in_the_middle_of_a_stage_says_where_and_leaves_the_table_as_it_was()
    {
        await using var warehouse = await Warehouse.CreateAsync("postgresql", Samples.Data);
        await RunAsync(warehouse, StageSamples.Lease("invoices_load"));
        // Somebody else replaces the raw table just now.
        await using var other = await warehouse.Database!.OpenAsync();
        await using var held = new Npgsql.NpgsqlCommand("SELECT pg_advisory_lock(62183417, hashtext('raw_invoices'))", other);
        await held.ExecuteNonQueryAsync();
        using var gentle = new CancellationTokenSource();
        var running = warehouse.Executor.ExecuteAsync(StageSamples.Lease("invoices_load"), gentle.Token, default);
        await Eventually.ComesAsync("the stage waits for its turn", async _ => (await warehouse.Query("SELECT 'waits' FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")).Count > 0 ? "waits" : null);

        await gentle.CancelAsync();
        var cancelled = await running;

        Assert.Equal("cancelled", cancelled.Status);
        Assert.Equal(["ingestion succeeded", "raw started"], cancelled.Stages.Select(stage => $"{stage.Stage} {stage.Status}"));
        Assert.Equal(722L, await CountAsync(warehouse, "RAW_Invoices"));
    }

    private static LeasedDataset Edited(LeasedDataset one, string from, string to)
    {
        one.ContractJson = one.ContractJson.Replace(from, to, StringComparison.Ordinal);
        return one;
    }

    private static string[] Told(Outcome outcome) => [.. outcome.Stages.Select(stage => $"{stage.Stage} {stage.Dataset} {stage.Status} {stage.OutputRows}")];

    private static Task<Outcome> RunAsync(Warehouse warehouse, LeasedCall lease) => warehouse.Executor.ExecuteAsync(lease, default, default);

    private static async Task<long> CountAsync(Warehouse warehouse, string table) => Convert.ToInt64((await warehouse.Query($"SELECT COUNT(*) FROM {table}"))[0][0]);

    private static async Task<string[]> TablesAsync(Warehouse warehouse) =>
        [.. (await warehouse.Query("SELECT table_name FROM information_schema.tables WHERE lower(table_name) LIKE '%invoices%' ORDER BY 1")).Select(row => (string)row[0]!)];
}
