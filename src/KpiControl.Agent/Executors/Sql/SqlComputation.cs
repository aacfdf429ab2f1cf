using System.Data.Common;
using System.Text;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>Sources, rules before, expression: all on one snapshot, in a transaction that cannot write.</summary>
/// <param name="dryRun">The engine understands the statements, and runs none of them.</param>
internal sealed class SqlComputation(SqlPlan plan, SeriesKey series, IWarehouse warehouse, KpiValueStore store, AttemptRecord record, bool dryRun = false)
{
    // Neither engine fetches a row of what stands under it.
    private readonly string limit = dryRun ? " LIMIT 0" : "";
    private readonly UpstreamSql upstream = new(warehouse, plan.Contract, series.Tenant, series.Environment, series.ScdView);

    public async Task<(IReadOnlyList<SeriesRow> Rows, Failure? Failure)> RunAsync(DbConnection connection, bool fingerprint, CancellationToken token)
    {
        await connection.ExecuteAsync(warehouse, warehouse.BeginSnapshot, [], token);
        var failure = await CheckSourcesAsync(connection, fingerprint, token) ?? await CheckRulesAsync(connection, token);
        var (rows, fault) = failure is null ? await EvaluateAsync(connection, token) : ([], failure);
        await connection.ExecuteAsync(warehouse, "ROLLBACK", [], token);
        return (rows, fault);
    }

    private async Task<Failure?> CheckSourcesAsync(DbConnection connection, bool fingerprint, CancellationToken token)
    {
        foreach (var table in plan.Contract.GdpDependencies)
        {
            if (!await store.HasTableAsync(connection, table, token))
                return new Failure(RunErrors.MissingGdp, $"the warehouse has no table {table}");
            var version = fingerprint ? await FingerprintAsync(connection, table, token) : "";
            record.Lineage.Sources.Add(new LineageSource { Type = "gdp", Name = table, Version = version });
        }
        foreach (var (kpiId, version) in plan.Contract.KpiDependencies)
        {
            if (!await store.HasKpiAsync(connection, series, kpiId, version, token))
                return new Failure(RunErrors.LineageBreak, $"there is no value of {kpiId}@{version} ({series.ScdView}) in this tenant and environment: run it first");
            record.Lineage.Sources.Add(new LineageSource { Type = "kpi", Name = kpiId, Version = version });
        }
        return null;
    }

    private async Task<string> FingerprintAsync(DbConnection connection, string table, CancellationToken token)
    {
        await using var command = connection.Command(warehouse, warehouse.Fingerprint(table), []);
        await using var reader = await command.ExecuteReaderAsync(token);
        await reader.ReadAsync(token);
        var rows = reader.GetInt64(0);
        record.InputRows += rows;
        return $"rows:{rows} hash:{reader.GetString(1)}";
    }

    private async Task<Failure?> CheckRulesAsync(DbConnection connection, CancellationToken token)
    {
        foreach (var rule in plan.Contract.PreValidation)
        {
            if (rule.Check != "no_rows")
                return Failure.Mismatch($"rule {rule.RuleId}: check `{rule.Check}` is not known before the call");
            var rendered = await new SqlTemplate(plan.Scope, upstream).RenderAsync(rule.Text ?? "");
            if (rendered.Problem.Length > 0)
                return Failure.Mismatch($"rule {rule.RuleId}: {rendered.Problem}");
            var broken = Convert.ToInt64(await connection.ScalarAsync(warehouse, $"SELECT COUNT(*) FROM (\n{rendered.Text}\n) AS broken{limit}", rendered.Parameters, token), null);
            record.Validations.Add(new Validation { RuleId = rule.RuleId, Stage = "pre", Passed = broken == 0, Message = broken == 0 ? "" : $"{rule.Message}: {broken} rows" });
        }
        return record.Validations.Find(one => !one.Passed) is { } failed
            ? new Failure(RunErrors.ValidationFailPre, $"rule {failed.RuleId}: {failed.Message}") : null;
    }

    private async Task<(IReadOnlyList<SeriesRow>, Failure?)> EvaluateAsync(DbConnection connection, CancellationToken token)
    {
        var rendered = await new SqlTemplate(plan.Scope, upstream).RenderAsync(plan.Contract.ExpressionText!);
        if (rendered.Problem.Length > 0)
            return ([], Failure.Mismatch(rendered.Problem));
        if (plan.Filters.FirstOrDefault(filter => !rendered.FiltersWritten.Contains(filter.Field)) is { } ignored)
            return ([], Failure.Mismatch($"the contract's expression does not apply the filter on `{ignored.Field}`"));
        record.Lineage.SqlHash = ContentHash.Of(Encoding.UTF8.GetBytes(rendered.Text));
        // As a subquery it can only be one SELECT, whatever the contract says.
        await using var command = connection.Command(warehouse, $"SELECT * FROM (\n{rendered.Text}\n) AS kpi{limit}", rendered.Parameters);
        await using var reader = await command.ExecuteReaderAsync(token);
        var (rows, problem) = await SeriesRows.ReadAsync(reader, plan, token);
        record.OutputRows = rows.Count(row => plan.Window.Contains(row.Period));
        return problem.Length == 0 ? (rows, null) : ([], problem.Contains("finite", StringComparison.Ordinal) ? new Failure(RunErrors.SqlError, problem) : Failure.Mismatch(problem));
    }
}
