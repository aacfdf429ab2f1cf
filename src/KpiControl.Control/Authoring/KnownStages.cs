using System.Collections.ObjectModel;
using System.Text.Json;
using KpiControl.Control.Leases;
using KpiControl.Control.Requests;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Runs;

namespace KpiControl.Control.Authoring;

/// <summary>For the jobs that select other stages than <c>kpi</c>: who could execute them in a region, and by which contracts.</summary>
internal sealed class KnownStages
{
    private List<AgentOffer> agents = [];
    private List<DatasetContract> datasets = [];

    /// <summary>Nothing is asked where no job selects such stages.</summary>
    public static async Task<KnownStages> LoadAsync(RequestTransaction tx, string tenant, string region, IEnumerable<JobArtifact> jobs, Func<JobArtifact, MetricContract?> contractOf)
    {
        var staged = jobs.Where(job => !RunStages.Of(job.Run).IsKpiAlone).ToList();
        if (staged.Count == 0)
            return new KnownStages();
        string[] tables = [.. staged.SelectMany(job => contractOf(job)?.GdpDependencies ?? []).Distinct(StringComparer.Ordinal)];
        return new KnownStages
        {
            agents = [.. (await StageStore.AgentsAsync(tx, tenant, region)).Select(agent => new AgentOffer(Pairs(agent.Connections), ReadOnlyDictionary<string, string>.Empty, Pairs(agent.Stages)))],
            datasets = tables.Length == 0 ? [] : [.. (await StageStore.DatasetsAsync(tx, tenant, tables)).GroupBy(row => row.Dataset, StringComparer.Ordinal)
                .Select(rows => DatasetReader.Read(StageContracts.Latest(rows)!.CanonicalJson, ArtifactFormat.Json)).OfType<DatasetContract>()],
        };
    }

    public StageSurroundings For(JobArtifact job) => new()
    {
        Connections = [.. agents.Where(agent => agent.Connections.ContainsKey(job.Run.ConnId)).Select(agent => agent.StagesOf(job.Run.ConnId))],
        Datasets = datasets,
    };

    private static Dictionary<string, string> Pairs(string json) => JsonSerializer.Deserialize<Dictionary<string, string>>(json) ?? [];
}
