using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Contracts;

/// <summary>Which KPI is computed from which, each at a pinned version: the graph that must have no cycle.</summary>
public sealed class DependencyGraph
{
    private readonly Dictionary<KpiReference, HashSet<KpiReference>> _upstreams = [];

    /// <summary>Adds to what is known of a KPI: several jobs of one KPI wait for all that any of them names.</summary>
    public void Add(KpiReference kpi, IEnumerable<KpiReference> upstreams)
    {
        if (!_upstreams.TryGetValue(kpi, out var known)) _upstreams[kpi] = known = [];
        known.UnionWith(upstreams);
    }

    public void Add(JobArtifact job) => Add(new KpiReference(job.KpiId, job.ContractVersion), job.Dependencies.Kpis);

    /// <summary>Of each KPI those that are computed from it, directly.</summary>
    public ILookup<KpiReference, KpiReference> Dependents() =>
        _upstreams.SelectMany(known => known.Value.Select(upstream => (upstream, known.Key))).ToLookup(edge => edge.upstream, edge => edge.Key);

    /// <summary>The way from a KPI back to itself, first and last the same, or null where there is none.</summary>
    public IReadOnlyList<KpiReference>? CycleThrough(KpiReference kpi) => CycleThrough(kpi, _upstreams.GetValueOrDefault(kpi) ?? []);

    /// <param name="first">The first steps of the way.</param>
    private List<KpiReference>? CycleThrough(KpiReference kpi, IEnumerable<KpiReference> first)
    {
        // Breadth first, so the shortest way is the one shown; and no recursion, so no depth can break it.
        var reachedFrom = new Dictionary<KpiReference, KpiReference>();
        var next = new Queue<KpiReference>([kpi]);
        while (next.TryDequeue(out var at))
            foreach (var upstream in at == kpi ? first : _upstreams.GetValueOrDefault(at) ?? [])
            {
                if (upstream == kpi) return Path(kpi, at, reachedFrom);
                if (reachedFrom.TryAdd(upstream, at)) next.Enqueue(upstream);
            }
        return null;
    }

    /// <summary>Stage 5 of validation: a job within this graph, to which it was added.</summary>
    public IReadOnlyList<Finding> Check(JobArtifact job)
    {
        // By the job's own dependencies: another job of the KPI that closes a cycle is not this one's mistake.
        if (CycleThrough(new KpiReference(job.KpiId, job.ContractVersion), job.Dependencies.Kpis) is not { } cycle) return [];
        return [new Finding("/dependencies/kpis", 0, 0, "graph.cycle", Severity.Error,
            $"The KPI would wait for itself: {string.Join(" → ", cycle)}.", "Take one of these dependencies away.")];
    }

    private static List<KpiReference> Path(KpiReference kpi, KpiReference last, Dictionary<KpiReference, KpiReference> reachedFrom)
    {
        var path = new List<KpiReference> { kpi };
        for (var at = last; at != kpi; at = reachedFrom[at]) path.Add(at);
        path.Add(kpi);
        path.Reverse();
        return path;
    }
}
