using System.Data.Common;
using KpiControl.Agent.Connections;
using KpiControl.Agent.Executors.Sql.Stages;
using KpiControl.Agent.Secrets;
using KpiControl.Jobs.Calls;
using KpiControl.Jobs.Runs;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>Computes a KPI on a warehouse by its contract's SQL and materialises it there behind the lease's fence.</summary>
internal sealed class SqlExecutor(Connection connection, IWarehouse warehouse, SecretSources secrets, TimeProvider time)
    : IExecutor, IAsyncDisposable
{
    private readonly KpiValueStore store = new(warehouse);
    private volatile bool tablesThere;

    public async Task<Outcome> ExecuteAsync(LeasedCall lease, CancellationToken gentle, CancellationToken force)
    {
        using var held = new AttemptSecrets(secrets);
        var record = new AttemptRecord(warehouse.Executor, held, time) { ReportPoints = connection.ReportPoints, HasKpi = HasKpi(lease) };
        // DuckDB's driver blocks the thread it is called on; by force, nobody waits for it any longer.
        return await Task.Run(() => AttemptDeadline.RunAsync(lease, record, time, token => AttemptAsync(lease, record, token), gentle, force), force).WaitAsync(force);
    }

    public ValueTask DisposeAsync() => warehouse.DisposeAsync();

    private async Task<Outcome> AttemptAsync(LeasedCall lease, AttemptRecord record, CancellationToken token)
    {
        var (plan, refused) = record.HasKpi ? SqlPlan.Of(lease) : (null, null);
        if (refused is not null)
            return record.Failed(refused);
        record.Contract = plan?.Contract;
        if (plan is not null && PostValidation.Problem(plan.Contract, plan.ComputedExtensions.Select(one => one.Name).ToHashSet()) is { } problem)
            return record.Failed(Failure.Mismatch(problem));
        var password = connection.Credential is { } reference ? await record.Secrets.ResolveAsync(reference, token) : SecretLookup.Missing("");
        if (password is { Value: null, Problem.Length: > 0 })
            return record.Failed(Failure.NoSecret(connection.ConnId, password));
        try
        {
            await using var database = await OpenAsync(password.Value, record, token);
            return await RunAsync(lease, plan, record, database, token);
        }
        catch (DbException error) when (!token.IsCancellationRequested)
        {
            return record.Failed(warehouse.Explain(error));
        }
        catch (AddressRefusedException address)
        {
            return record.Failed(new Failure(RunErrors.PolicyDeny, $"the warehouse's name leads to {address.Message}"));
        }
    }

    // A password that was rotated a moment ago is not the attempt's end.
    private async Task<DbConnection> OpenAsync(string? password, AttemptRecord record, CancellationToken token)
    {
        try
        {
            return await warehouse.OpenAsync(password, token);
        }
        catch (DbException error) when (password is not null && error.SqlState?.StartsWith("28", StringComparison.Ordinal) is true && !token.IsCancellationRequested)
        {
            if (await record.Secrets.RenewAsync(connection.Credential!, password, token) is not { } renewed)
                throw;
            return await warehouse.OpenAsync(renewed, token);
        }
    }

    private async Task<Outcome> RunAsync(LeasedCall lease, SqlPlan? plan, AttemptRecord record, DbConnection database, CancellationToken token)
    {
        if (!tablesThere)
            await store.EnsureTablesAsync(database, token);
        tablesThere = true;
        if (lease.Lease.Stages.Count > 0 && await RunStagesAsync(lease, plan, record, database, token) is { } failed)
            return record.Failed(failed);
        if (plan is null)
            return record.EndedByStages();
        record.BeginKpi();
        return lease.Lease.DryRun ? await CheckAsync(lease, plan, record, database, token) : await ComputeAsync(lease, plan, record, database, token);
    }

    private Task<Failure?> RunStagesAsync(LeasedCall lease, SqlPlan? plan, AttemptRecord record, DbConnection database, CancellationToken token)
    {
        var steps = new TableSteps(warehouse, lease.Lease, connection.DataDirectory, connection.FingerprintSources, lease.Lease.WindowOnly ? plan?.Window : null);
        return new StageRunner(warehouse, steps, lease.Lease, record, time).RunAsync(database, token);
    }

    private async Task<Outcome> CheckAsync(LeasedCall lease, SqlPlan plan, AttemptRecord record, DbConnection database, CancellationToken token)
    {
        var series = plan.Series(lease.Lease.Tenant, lease.Lease.Environment);
        var (_, failure) = await new SqlComputation(plan, series, warehouse, store, record, dryRun: true).RunAsync(database, fingerprint: false, token);
        if (failure is { Error.Category: ErrorCategory.Sourcing })
            record.KpiNotReady = failure.Message;
        else if (failure is not null)
            return record.Failed(failure);
        record.Validations.Clear();
        return record.EndedByStages();
    }

    private async Task<Outcome> ComputeAsync(LeasedCall lease, SqlPlan plan, AttemptRecord record, DbConnection database, CancellationToken token)
    {
        var series = plan.Series(lease.Lease.Tenant, lease.Lease.Environment);
        var (rows, failure) = await new SqlComputation(plan, series, warehouse, store, record).RunAsync(database, connection.FingerprintSources, token);
        if (failure is not null)
            return record.Failed(failure);
        var points = SeriesPoints.Of(plan, rows);
        record.Validations.AddRange(PostValidation.Check(plan, points));
        if (record.Validations.Find(one => !one.Passed) is not { } broken)
            return await DeliverAsync(lease, plan, record, points, database, token) ?? record.EndedByStages();
        var after = new Failure(RunErrors.ValidationFailPost, $"rule {broken.RuleId}: {broken.Message}");
        return lease.Lease.OnRuleFail switch
        {
            "warn" => await WarnAsync(lease, plan, record, points, after, database, token),
            "last_good" when await store.HasValuesAsync(database, series, token) => LastGood(record, after),
            _ => record.Failed(after),
        };
    }

    private async Task<Outcome> WarnAsync(
        LeasedCall lease, SqlPlan plan, AttemptRecord record, IReadOnlyList<SeriesPoint> points, Failure after, DbConnection database, CancellationToken token)
    {
        record.Warnings.Add($"delivered although {after.Message}");
        return await DeliverAsync(lease, plan, record, points, database, token) ?? record.Ended(RunStatus.Partial, after);
    }

    private static Outcome LastGood(AttemptRecord record, Failure after)
    {
        record.Warnings.Add($"the last good values stay, because {after.Message}");
        return record.Ended(RunStatus.Partial, after);
    }

    private static bool HasKpi(LeasedCall lease) => lease.Lease.Stages.Count == 0 || lease.Lease.Stages.Contains(RunStages.Kpi);

    // Null: delivered, by this attempt now or earlier.
    private async Task<Outcome?> DeliverAsync(
        LeasedCall lease, SqlPlan plan, AttemptRecord record, IReadOnlyList<SeriesPoint> points, DbConnection database, CancellationToken token)
    {
        var fence = new SlotFence(lease.Lease.BindingId, lease.Lease.SlotKey, lease.Lease.Fence.Epoch, lease.Lease.Fence.Number, Guid.Parse(lease.Lease.AttemptId));
        var periods = (plan.Window.From is { } from ? Periods.Format(plan.Grain, from) : null, Periods.Format(plan.Grain, Periods.Add(plan.Grain, plan.Window.To, -1)));
        var written = await store.WriteAsync(database, plan.Series(lease.Lease.Tenant, lease.Lease.Environment), fence, periods, [.. points.Select(point => point.ToStored(plan))], token);
        if (written is Materialised.Stale)
            return record.Failed(new Failure(RunErrors.Conflict, "a later attempt of this occurrence has written its values: this one wrote nothing"));
        if (written is Materialised.SameAttempt)
            record.Warnings.Add("this attempt had written its values before: nothing was written again");
        record.Points = [.. points.Select(point => point.ToProto(plan))];
        return null;
    }
}
