using System.Data.Common;
using KpiControl.Agent.Executors.Calls;
using KpiControl.Jobs.Calls;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Executors.Sql.Stages;

/// <summary>What became of one stage on one table.</summary>
/// <param name="NotReady">Why it was passed over; null: it was not.</param>
/// <param name="Until">Of a GDP table: the first day of which it has nothing yet.</param>
/// <param name="From">Where rows of a window alone were built anew: its first day.</param>
internal sealed record StepEnd(string? NotReady = null, Failure? Failure = null, long InputRows = 0, long OutputRows = 0, string Version = "", DateOnly? Until = null, DateOnly? From = null);

/// <summary>
/// The stages before <c>kpi</c>, each on one table. A step looks whether it is ready, and then replaces the table's rows behind
/// the lease's fence in one transaction: done twice it is done once, and a late one changes nothing.
/// </summary>
/// <param name="window">Of which a GDP table's rows are built anew; null: all.</param>
internal sealed class TableSteps(IWarehouse warehouse, Lease lease, string? dataDirectory, bool fingerprint, CallWindow? window)
{
    private readonly TableStore store = new(warehouse);

    public async Task<StepEnd> RunAsync(string stage, DatasetContract contract, DbConnection connection, CancellationToken token) => stage switch
    {
        RunStages.Ingestion => await IngestAsync(contract, connection, token),
        RunStages.Raw => await LoadAsync(contract, connection, token),
        _ => await BuildAsync(contract, connection, token),
    };

    private async Task<StepEnd> IngestAsync(DatasetContract contract, DbConnection connection, CancellationToken token)
    {
        var (file, notReady) = SourceFile.Find(dataDirectory, contract.File!);
        if (file is null)
            return new StepEnd(notReady);
        if (await file.HeaderProblemAsync(contract.Columns, token) is { } problem)
            return new StepEnd(Failure: Failure.Mismatch(problem));
        if (lease.DryRun)
            return new StepEnd();
        var (landing, digest, rows) = (TableStore.Landing(contract.Dataset), await file.DigestAsync(token), 0L);
        var (became, failure) = await store.ReplaceAsync(connection, lease.Tenant, Fence(RunStages.Ingestion, contract), landing, async () =>
        {
            rows = await store.LandAsync(connection, contract, file.Path, token);
            return await file.DigestAsync(token) == digest ? null : new Failure(RunErrors.Conflict, $"{contract.File} changed while it was read");
        }, token);
        return Ended(became, failure) ?? new StepEnd(InputRows: rows, OutputRows: rows, Version: digest);
    }

    private async Task<StepEnd> LoadAsync(DatasetContract contract, DbConnection connection, CancellationToken token)
    {
        if (await TargetAsync(contract, connection, token) is { } unfit)
            return unfit;
        if (lease.DryRun)
            return new StepEnd();
        var landing = TableStore.Landing(contract.Dataset);
        if (await store.ShapeAsync(connection, landing, token) is not { } landed)
            return new StepEnd("nothing was ingested for it yet");
        if (!landed.Columns.Select(column => column.Name).SequenceEqual(contract.Columns.Select(column => column.Name)))
            return new StepEnd("what was ingested for it has other columns than its contract: ingest it again");
        return await FillAsync(RunStages.Raw, contract, TableStore.Quoted(landing), connection, null, token);
    }

    private async Task<StepEnd> BuildAsync(DatasetContract contract, DbConnection connection, CancellationToken token)
    {
        foreach (var raw in contract.Dependencies)
            if (await store.ShapeAsync(connection, raw, token) is null)
                return new StepEnd($"the warehouse has no table {raw}");
        if (await TargetAsync(contract, connection, token) is { } unfit)
            return unfit;
        var source = $"(\n{contract.ExpressionText}\n)";
        if (lease.DryRun)
        {
            await store.CheckAsync(connection, contract, source, token);
            return new StepEnd();
        }
        var range = window is null ? null : new RowRange(contract.Through!.Column, window.FromOrEarliest, window.To);
        var end = await FillAsync(RunStages.Gdp, contract, source, connection, range, token);
        if (end is { NotReady: null, Failure: null } && await store.LatestAsync(connection, contract, token) is { } latest)
            end = end with { From = range?.From, Until = Periods.Add(contract.Through!.Grain, Periods.StartOf(contract.Through.Grain, latest), 1) };
        return end;
    }

    private async Task<StepEnd> FillAsync(string stage, DatasetContract contract, string source, DbConnection connection, RowRange? range, CancellationToken token)
    {
        var rows = 0L;
        var (became, failure) = await store.ReplaceAsync(connection, lease.Tenant, Fence(stage, contract), contract.Dataset, async () =>
        {
            await store.MakeAsync(connection, contract, token);
            await store.ClearAsync(connection, contract, range, token);
            rows = await store.FillAsync(connection, contract, source, range, token);
            return await store.BrokenKeysAsync(connection, contract, token) is > 0 and var broken
                ? Failure.Mismatch($"{contract.Dataset}: {broken} keys ({string.Join(", ", contract.PrimaryKey)}) stand twice or have an empty part") : null;
        }, token);
        return Ended(became, failure) ?? new StepEnd(InputRows: rows, OutputRows: rows, Version: await store.VersionAsync(connection, contract.Dataset, fingerprint, token));
    }

    // A target that exists and answers, or can be made. A view is somebody else's way of filling it.
    private async Task<StepEnd?> TargetAsync(DatasetContract contract, DbConnection connection, CancellationToken token)
    {
        if (await store.ShapeAsync(connection, contract.Dataset, token) is not { } shape)
            return null;
        if (shape.IsView)
            return new StepEnd($"{contract.Dataset} is a view in the warehouse, and not a table that can be filled");
        var fits = shape.Columns.Count == contract.Columns.Count && contract.Columns.All(field => shape.Columns.Any(column => column.Name == field.Name && TableStore.IsOfType(field, column.Type)));
        return fits ? null : new StepEnd(Failure: Failure.Mismatch(
            $"the table {contract.Dataset} has the columns {string.Join(", ", shape.Columns.Select(column => $"{column.Name} {column.Type}"))}, and its contract says "
            + $"{string.Join(", ", contract.Columns.Select(column => $"{column.Name} {column.DataType}"))}: alter the table, or drop it and it is made anew"));
    }

    // Of this binding's runs the later one counts, whatever occurrence it was for: an attempt that nobody waits for any more must
    // not put yesterday's table over today's.
    private SlotFence Fence(string stage, DatasetContract contract) =>
        new(lease.BindingId, $"stage:{stage}/{contract.Dataset}", lease.Fence.Epoch, lease.Fence.Number, Guid.Parse(lease.AttemptId));

    private static StepEnd? Ended(Materialised became, Failure? failure) => (became, failure) switch
    {
        (_, not null) => new StepEnd(Failure: failure),
        (Materialised.Stale, _) => new StepEnd(Failure: new Failure(RunErrors.Conflict, "a later attempt of this job has replaced the table: this one changed nothing")),
        _ => null,
    };
}
