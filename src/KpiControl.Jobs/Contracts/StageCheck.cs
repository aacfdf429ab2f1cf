using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Runs;

namespace KpiControl.Jobs.Contracts;

/// <summary>What is known of who could execute a job's stages, and by what.</summary>
public sealed record StageSurroundings
{
    /// <summary>For each known agent of the tenant and region that has the job's connection: the stages which that connection executes.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Connections { get; init; } = [];
    /// <summary>Raw and GDP tables with an active contract.</summary>
    public IReadOnlyList<DatasetContract> Datasets { get; init; } = [];
}

/// <summary>Whether somebody can execute the stages that a job selects, and by which contracts. What no agent can execute is refused.</summary>
public static class StageCheck
{
    /// <param name="contract">The metric contract of the job, or null where there is none.</param>
    /// <param name="where">The tenant, environment and region, as people say it.</param>
    public static IReadOnlyList<Finding> Check(JobArtifact job, MetricContract? contract, StageSurroundings surroundings, string where)
    {
        var stages = RunStages.Of(job.Run);
        if (stages.IsKpiAlone) return [];
        return [.. Executable(job, stages, surroundings.Connections, where), .. contract is null ? [] : Contracts(stages, contract, surroundings.Datasets)];
    }

    private static IEnumerable<Finding> Executable(JobArtifact job, RunStages stages, IReadOnlyList<IReadOnlyList<string>> connections, string where)
    {
        if (connections.Any(able => stages.NeededOfConnection.All(able.Contains))) yield break;
        var path = job.Run.StageSet.Count > 0 ? "/run/stage_set" : "/run/profile";
        var wanted = string.Join(", ", stages.NeededOfConnection);
        yield return connections.Count == 0
            ? ContractCheck.Error(path, "unsupported.stages", $"No agent is known in {where} that has the connection {job.Run.ConnId}, so nobody can execute {wanted}.",
                "Start an agent with that connection first, or correct run.conn_id.")
            : ContractCheck.Error(path, "unsupported.stages",
                $"The connection {job.Run.ConnId} in {where} executes {string.Join(", ", RunStages.All.Where(connections[0].Contains))}, and not {string.Join(", ", stages.NeededOfConnection.Except(connections[0]))}.",
                "SQL connections (postgresql, duckdb) execute gdp and kpi, and with a data_directory also ingestion and raw; http executes kpi alone.");
    }

    // No error: a stage without a contract is skipped as not ready, and the others run.
    private static IEnumerable<Finding> Contracts(RunStages stages, MetricContract contract, IReadOnlyList<DatasetContract> datasets)
    {
        if (!stages.MakesTables && !stages.IsDryRun) return [];
        var missing = contract.GdpDependencies.Where(table => datasets.All(one => one.Type != ContractKind.Gdp || one.Dataset != table))
            .Select(table => (Table: table, Kind: ContractKind.Gdp, Stages: (string[])[RunStages.Ingestion, RunStages.Raw, RunStages.Gdp]));
        var raw = datasets.Where(one => one.Type == ContractKind.Gdp).SelectMany(one => one.Dependencies).Distinct()
            .Where(table => datasets.All(one => !one.IsRaw || one.Dataset != table))
            .Select(table => (Table: table, Kind: ContractKind.Raw, Stages: (string[])[RunStages.Ingestion, RunStages.Raw]));
        return missing.Concat(raw).Where(one => one.Stages.Any(stages.Has)).Select(one => new Finding("/run", 0, 0, "contract.no_dataset", Severity.Warning,
            $"{one.Table} has no active contract of type {one.Kind}: the stages {string.Join(", ", one.Stages.Where(stages.Has))} are skipped for it until it has one.", "Put one (kpictl contracts put -f FILE)."));
    }
}
