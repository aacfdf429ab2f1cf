using KpiControl.Control.Catalog;
using KpiControl.Control.Requests;
using KpiControl.Control.Tenants;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Control.Authoring;

/// <param name="Region">Where it is to be bound; null where neither it nor the tenant has one.</param>
internal sealed record PlacedJob(JobArtifact Job, string? Region);

internal sealed record KnownContract(MetricContract Contract, string Digest);

/// <summary>What validation looks at beside the texts, of one tenant and environment: loaded in a few statements, for one job or for thousands.</summary>
internal sealed class JobFacts
{
    private readonly Dictionary<KpiReference, KnownContract> contracts;
    private readonly Dictionary<string, RegionFacts> regions;
    private Dictionary<string, CalendarRow> calendars = [];

    private JobFacts(TenantPlacement placement, Dictionary<KpiReference, KnownContract> contracts, IReadOnlySet<string> knownKpis, Dictionary<string, RegionFacts> regions) =>
        (Placement, this.contracts, KnownKpis, this.regions) = (placement, contracts, knownKpis, regions);

    public TenantPlacement Placement { get; }

    /// <summary>Those of which the catalogue has any version.</summary>
    public IReadOnlySet<string> KnownKpis { get; }

    /// <summary>Of the tenant, to tell what may have been meant; empty where every calendar that is named exists.</summary>
    public IReadOnlyList<string> CalendarNames { get; private set; } = [];

    /// <summary>The latest version of the calendar that a schedule names; null where it names none, or one that there is not.</summary>
    public CalendarRow? CalendarOf(JobArtifact job) => job.Schedule is { Type: "cron", Calendar: { } name } ? calendars.GetValueOrDefault(name) : null;

    public KnownContract? ContractOf(JobArtifact job) => contracts.GetValueOrDefault(new KpiReference(job.KpiId, job.ContractVersion));

    /// <summary>Of what is bound in a region and the jobs at hand in the place of theirs; empty where nobody asked for it.</summary>
    public DependencyGraph GraphOf(string region) => regions.GetValueOrDefault(region)?.Graph ?? new DependencyGraph();

    public IReadOnlyList<Finding> CheckGraph(JobArtifact job, string region) => job.Dependencies.Kpis.Count == 0 ? [] : regions[region].Graph.Check(job);

    public IReadOnlyList<Finding> CheckStages(JobArtifact job, string region, string where) =>
        StageCheck.Check(job, ContractOf(job)?.Contract, regions[region].Stages.For(job), where);

    public NamedDependencies NamesFor(JobArtifact job, string region) => regions[region].NamesFor(job);

    /// <param name="bound">What is bound now and what the jobs at hand replace, or what goes: its contracts are asked for too, and the graph is without it.</param>
    /// <param name="withGraph">All that waits for a KPI in the regions.</param>
    /// <param name="forEdit">Nobody else changes the graph until the transaction ends.</param>
    public static async Task<JobFacts> LoadAsync(RequestTransaction tx, string tenant, string environment, TenantPlacement placement,
        IReadOnlyList<PlacedJob> jobs, bool withGraph, bool forEdit, params IReadOnlyList<PlacedJob> bound)
    {
        var wanted = jobs.Concat(bound).Select(placed => new KpiReference(placed.Job.KpiId, placed.Job.ContractVersion)).Distinct().ToList();
        string[] except = [.. jobs.Concat(bound).Select(placed => placed.Job.JobId).Distinct()];
        var rows = await ContractStore.OfAsync(tx, tenant, wanted);
        var contracts = rows.ToDictionary(row => new KpiReference(row.KpiId, row.Version), row => new KnownContract(JobCheck.Understand(row), row.Digest));
        var missing = wanted.Where(kpi => !contracts.ContainsKey(kpi)).Select(kpi => kpi.KpiId).Distinct().ToArray();
        var known = contracts.Keys.Select(kpi => kpi.KpiId).Concat(missing.Length == 0 ? [] : await ContractStore.KnownAsync(tx, tenant, missing)).ToHashSet();
        var facts = new JobFacts(placement, contracts, known, []);
        await facts.LoadCalendarsAsync(tx, tenant, [.. jobs.Select(placed => placed.Job.Schedule.Calendar).OfType<string>().Distinct()]);
        foreach (var region in jobs.Concat(bound).Select(placed => placed.Region).OfType<string>().Distinct())
        {
            var answer = facts.regions[region] = new RegionFacts();
            var here = jobs.Where(placed => placed.Region == region).Select(placed => placed.Job).ToList();
            if (withGraph)
                await answer.LoadGraphAsync(tx, tenant, environment, region, except, forEdit);
            here.ForEach(answer.Graph.Add);
            await answer.LoadNamesAsync(tx, tenant, environment, region, here, facts);
            answer.Stages = await KnownStages.LoadAsync(tx, tenant, region, here, job => facts.ContractOf(job)?.Contract);
        }
        return facts;
    }

    private async Task LoadCalendarsAsync(RequestTransaction tx, string tenant, string[] named)
    {
        if (named.Length == 0)
            return;
        calendars = (await CalendarStore.OfAsync(tx, tenant, named)).ToDictionary(row => row.Name);
        if (calendars.Count < named.Length)
            CalendarNames = await CalendarStore.NamesAsync(tx, tenant);
    }

    /// <summary>Who serves what, and who waits for it, in a region.</summary>
    private sealed class RegionFacts
    {
        private NamedDependencies names = new();
        private HashSet<string> unpublished = [];
        private Dictionary<string, HashSet<string>> waiters = [];

        public DependencyGraph Graph { get; } = new();

        public KnownStages Stages { get; set; } = new();

        public async Task LoadGraphAsync(RequestTransaction tx, string tenant, string environment, string region, string[] except, bool forEdit)
        {
            foreach (var edge in await GraphStore.EdgesAsync(tx, tenant, environment, region, except, forEdit))
                Graph.Add(new KpiReference(edge.KpiId, edge.ContractVersion), [Parse(edge.Upstream)]);
        }

        public async Task LoadNamesAsync(RequestTransaction tx, string tenant, string environment, string region, IReadOnlyList<JobArtifact> jobs, JobFacts facts)
        {
            string[] kpis = [.. jobs.SelectMany(job => job.Dependencies.Kpis).Distinct().Select(kpi => kpi.ToString())];
            string[] tables = [.. jobs.SelectMany(job => job.Dependencies.Gdp.Except(facts.ContractOf(job)?.Contract.GdpDependencies ?? [])).Distinct()];
            string[] signals = [.. jobs.SelectMany(job => job.Dependencies.Signals).Distinct()];
            if (kpis.Length + tables.Length + signals.Length == 0)
                return;
            // What the jobs at hand compute comes with them.
            var computed = jobs.Count == 1 ? [] : jobs.Select(job => new KpiReference(job.KpiId, job.ContractVersion).ToString()).ToHashSet();
            var found = await GraphStore.UnservedAsync(tx, tenant, environment, region, kpis, tables, signals);
            names = new NamedDependencies
            {
                UnknownKpis = found.UnknownKpis.Select(Parse).ToHashSet(), UnboundKpis = found.UnboundKpis.Where(kpi => !computed.Contains(kpi)).Select(Parse).ToHashSet(),
                UnknownTables = found.UnknownTables.ToHashSet(), KnownSignals = found.KnownSignals,
            };
            unpublished = [.. found.UnpublishedSignals];
            var known = signals.Length == 0 ? [] : await GraphStore.WaitersAsync(tx, tenant, environment, signals);
            waiters = known.ToDictionary(row => row.Signal, row => new HashSet<string> { row.First, row.Last });
            foreach (var (job, signal) in jobs.SelectMany(job => job.Dependencies.Signals.Select(signal => (job.JobId, signal))))
                if (!waiters.TryAdd(signal, [job]) && waiters[signal].Count < 2)
                    waiters[signal].Add(job);
        }

        // A signal that another job waits for was thought of once before: that is as much as can be known of it before its first publish.
        public NamedDependencies NamesFor(JobArtifact job) => job.Dependencies.Signals.Count == 0 ? names : names with
        {
            UnknownSignals = job.Dependencies.Signals.Where(signal => unpublished.Contains(signal)
                && (waiters.GetValueOrDefault(signal) is not { } others || others.All(name => name == job.JobId))).ToHashSet(),
        };

        private static KpiReference Parse(string upstream) => upstream.Split('@', 2) is [var kpi, var version] ? new(kpi, version) : new(upstream, "");
    }
}
