using System.Data.Common;
using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Executors.Sql.Stages;

/// <summary>Runs the stages before <c>kpi</c>, in order and table by table, and keeps a record of each.</summary>
internal sealed class StageRunner(IWarehouse warehouse, TableSteps steps, Lease lease, AttemptRecord record, TimeProvider time)
{
    /// <summary>What is not ready is passed over, and the others run; the first failure ends it, and what it leaves undone says so.</summary>
    public async Task<Failure?> RunAsync(DbConnection connection, CancellationToken token)
    {
        Failure? failed = null;
        foreach (var (stage, dataset) in Planned())
        {
            var said = new StageEvent { Stage = stage, Dataset = dataset.Dataset, ContractDigest = dataset.ContractDigest, Status = "started", StartedAt = time.GetUtcNow().ToTimestamp() };
            record.Stages.Add(said);
            var end = failed is null ? await StepAsync(stage, dataset, said, connection, token) : new StepEnd("an earlier stage failed");
            failed ??= end.Failure;
            said.EndedAt = time.GetUtcNow().ToTimestamp();
            said.Status = end.Failure is not null ? "failed" : end.NotReady is not null ? "skipped" : "succeeded";
            said.Reason = end.Failure?.Message ?? end.NotReady ?? "";
            (said.InputRows, said.OutputRows, said.Errors, said.Version) = (end.InputRows, end.OutputRows, end.Failure is null ? 0 : 1, end.Version);
            (said.DataUntil, said.ChangedFrom) = (Text(end.Until), Text(end.From));
        }
        if (!record.HasKpi)
            record.OutputRows = record.Stages.GroupBy(stage => stage.Stage).LastOrDefault()?.Sum(stage => stage.OutputRows) ?? 0;
        return failed;
    }

    private static string Text(DateOnly? day) => day?.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture) ?? "";

    private IEnumerable<(string Stage, LeasedDataset Dataset)> Planned() =>
        from stage in RunStages.All
        where stage != RunStages.Kpi && lease.Stages.Contains(stage)
        from dataset in lease.Datasets
        where dataset.ContractType == (stage == RunStages.Gdp ? ContractKind.Gdp : ContractKind.Raw)
        select (stage, dataset);

    private async Task<StepEnd> StepAsync(string stage, LeasedDataset dataset, StageEvent said, DbConnection connection, CancellationToken token)
    {
        if (dataset.ContractJson.Length == 0)
            return new StepEnd($"{dataset.Dataset} has no active contract of type {dataset.ContractType}");
        if (DatasetReader.Read(dataset.ContractJson, ArtifactFormat.Json) is not { } contract)
            return new StepEnd(Failure: Failure.Mismatch($"the contract of {dataset.Dataset} is not one that this agent can read"));
        (said.ContractId, said.ContractVersion) = (contract.ContractId, contract.Version);
        if (dataset.Status == ContractStatus.Deprecated)
            record.Warnings.Add($"the contract {contract.Dataset}@{contract.Version} is deprecated, and no version is active");
        try
        {
            return await steps.RunAsync(stage, contract, connection, token);
        }
        catch (DbException error) when (!token.IsCancellationRequested)
        {
            return new StepEnd(Failure: Explain(error, stage, contract));
        }
    }

    // A cell that is no date will be none at the next try; and its words stay in the region.
    private Failure Explain(DbException error, string stage, DatasetContract contract) =>
        error.SqlState?.StartsWith("22", StringComparison.Ordinal) is true || error.Message.StartsWith("Conversion Error", StringComparison.Ordinal)
            ? Failure.Mismatch($"{stage} of {contract.Dataset}: a value is not of its column's type, or the file is no CSV of these columns")
            : warehouse.Explain(error);
}
