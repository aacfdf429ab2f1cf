using KpiControl.Agent.Executors;

namespace KpiControl.Agent.Tests.Executors;

/// <summary>Rules that fail on this data, and calls that do not fit their contract.</summary>
public sealed class RuleTests
{
    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task Rules_that_fail_end_as_the_job_says(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);

        var skipped = await warehouse.RunAsync("failing/dso_complete.yaml", "2024-12-31");
        Assert.Equal(("skipped", "pre-validation", "VALIDATION_FAIL_PRE"), (skipped.Status, skipped.ErrorCategory, skipped.ErrorCode));
        Assert.Equal(["sales_have_receivables"], skipped.Validations.Where(one => !one.Passed).Select(one => one.RuleId));
        Assert.Equal(0L, await CountAsync(warehouse));

        var suppressed = await warehouse.RunAsync("failing/unemployment_suppressed.yaml", "2010-02-28");
        Assert.Equal(("suppressed", "post-validation", "VALIDATION_FAIL_POST"), (suppressed.Status, suppressed.ErrorCategory, suppressed.ErrorCode));
        Assert.Contains("1 of 1708", suppressed.ErrorMessage, StringComparison.Ordinal);
        Assert.Empty(suppressed.Points);
        Assert.Equal("suppressed", (await warehouse.RunAsync("failing/unemployment_last_good.yaml", "2010-02-28")).Status);
        Assert.Equal(0L, await CountAsync(warehouse));

        // A month earlier the rule holds, and these values stay.
        Assert.Equal("success", (await warehouse.RunAsync("failing/unemployment_last_good.yaml", "2010-01-31")).Status);
        var standing = await CountAsync(warehouse);
        var kept = await warehouse.RunAsync("failing/unemployment_last_good.yaml", "2010-02-28");
        Assert.Equal("partial", kept.Status);
        Assert.NotEmpty(kept.Warnings);
        Assert.Equal(standing, await CountAsync(warehouse));

        var warned = await warehouse.RunAsync("failing/unemployment_warned.yaml", "2010-02-28");
        Assert.Equal("partial", warned.Status);
        Assert.NotEmpty(warned.Warnings);
        Assert.Equal(standing + 14, await CountAsync(warehouse));
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task A_source_that_is_missing_is_named(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        var orphan = await warehouse.RunAsync("jobs_diffusion.yaml", "2015-12-31");
        Assert.Equal(("failed", "sourcing", "LINEAGE_BREAK"), (orphan.Status, orphan.ErrorCategory, orphan.ErrorCode));
        await warehouse.Query($"DROP {(engine == "duckdb" ? "VIEW" : "TABLE")} GDP_Flights");
        var missing = await warehouse.RunAsync("on_time_daily.yaml", "2001-03-31");
        Assert.Equal(("failed", "sourcing", "MISSING_GDP"), (missing.Status, missing.ErrorCategory, missing.ErrorCode));
        Assert.Contains("GDP_Flights", missing.ErrorMessage, StringComparison.Ordinal);
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task A_call_or_contract_that_does_not_fit_is_refused(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        foreach (var (from, to) in new[]
        {
            ("\"WoW\"", "\"MoM\""), ("\"time\":[\"WoW\"]", "\"entity\":[\"unit\"]"), ("\"grain\":\"day\"", "\"grain\":\"month\""), ("\"gregorian\"", "\"fiscal\""),
            ("\"dimensions\":[]", "\"dimensions\":[\"carrier\"]"), ("\"as_reported\"", "\"as_dreamt\""), ("\"scd_view\"", "\"view\""),
            ("\"filters\":[]", "\"filters\":[{\"field\":\"origin\",\"op\":\"=\",\"value\":5}]"), ("\"to\":\"2001-03-31\"", "\"to\":\"2001-03\""),
        })
            await RefusedAsync(warehouse, Samples.Lease("on_time_daily.yaml", "2001-03-31", callEdit: Replaced(from, to)), "contract", "SCHEMA_MISMATCH");
        await RefusedAsync(warehouse, Samples.Lease("on_time_daily.yaml", "2001-03-31", contractEdit: Replaced("AS on_time_rate", "AS rate")), "contract", "SCHEMA_MISMATCH");
        await RefusedAsync(warehouse, Samples.Lease("on_time_daily.yaml", "2001-03-31", contractEdit: Replaced("{{ window.from }}", "{{ window.begin }}")), "contract", "SCHEMA_MISMATCH");
        await RefusedAsync(warehouse, Samples.Lease("on_time_daily.yaml", "2001-03-31", contractEdit: Replaced("SELECT CAST(replace", "SELEKT CAST(replace")), "execution", "SQL_ERROR");
        await RefusedAsync(warehouse, Samples.Lease("on_time_daily.yaml", "2001-03-31", callEdit: Replaced("COO-OT-01", "COO-OT-02")), "contract", "INVALID_KPI_ID");
        await RefusedAsync(warehouse, Samples.Lease("on_time_atlanta.yaml", "2001-03-31", contractEdit: Replaced("WHERE {{ filters | conditions }} AND period", "WHERE period")), "contract", "SCHEMA_MISMATCH");
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task A_filters_value_is_bound_and_a_contract_cannot_write(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        var hostile = await warehouse.Executor.ExecuteAsync(
            Samples.Lease("on_time_atlanta.yaml", "2001-03-31", callEdit: Replaced("ATL", "ATL' OR '1'='1")), default, default);
        Assert.Equal(("success", 0), (hostile.Status, hostile.DataPoints));
        await RefusedAsync(warehouse, Samples.Lease("on_time_daily.yaml", "2001-03-31", contractEdit: Replaced("WITH flight AS (", "WITH gone AS (DELETE FROM kpi_fence RETURNING 1), flight AS (")), "execution", "SQL_ERROR");
        if (engine == "duckdb")
            await RefusedAsync(warehouse, Samples.Lease("on_time_daily.yaml", "2001-03-31", contractEdit: Replaced("FROM GDP_Flights\\n)", "FROM GDP_Flights, read_csv('/etc/passwd')\\n)")), "access", "UNAUTHORIZED");
    }

    [Theory, InlineData("postgresql"), InlineData("duckdb")]
    public async Task Out_of_time_and_cancelled_are_told_apart(string engine)
    {
        await using var warehouse = await Warehouse.CreateAsync(engine, Samples.Data);
        var endless = Replaced("COUNT(*) AS on_time_rate", "(SELECT COUNT(*) FROM GDP_Flights a, GDP_Flights b, GDP_Flights c WHERE a.delay + b.delay + c.delay > 5) AS on_time_rate");
        var late = Samples.Lease("on_time_daily.yaml", "2001-03-31", contractEdit: endless) with { Timeout = TimeSpan.FromSeconds(2) };
        await RefusedAsync(warehouse, late, "execution", "EXEC_TIMEOUT");
        using var gentle = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        var cancelled = await warehouse.Executor.ExecuteAsync(Samples.Lease("on_time_daily.yaml", "2001-03-31", contractEdit: endless), gentle.Token, default);
        Assert.Equal("cancelled", cancelled.Status);
        using var force = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => warehouse.Executor.ExecuteAsync(Samples.Lease("on_time_daily.yaml", "2001-03-31", contractEdit: endless), default, force.Token));
    }

    private static Func<string, string> Replaced(string from, string to) => text => text.Replace(from, to, StringComparison.Ordinal);

    private static async Task RefusedAsync(Warehouse warehouse, LeasedCall lease, string category, string code)
    {
        var outcome = await warehouse.Executor.ExecuteAsync(lease, default, default);
        Assert.True((outcome.Status, outcome.ErrorCategory, outcome.ErrorCode) == ("failed", category, code), $"{outcome.Status} {outcome.ErrorCategory} {outcome.ErrorCode} {outcome.ErrorMessage}");
    }

    private static async Task<long> CountAsync(Warehouse warehouse) => Convert.ToInt64((await warehouse.Query("SELECT COUNT(*) FROM kpi_values"))[0][0]);
}
