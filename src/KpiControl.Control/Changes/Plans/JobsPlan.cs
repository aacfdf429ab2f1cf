using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Control.Tenants;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Changes.Plans;

/// <summary>A set of artifacts beside what is bound: each job's line, and all that was looked at for it.</summary>
internal sealed record JobsPlan(PlanAsk Ask, IReadOnlyList<PlanLine> Lines, JobFacts Facts)
{
    public string Digest { get; } = PlanDigest.Of(Ask, Facts.Placement.PolicyVersion, Lines);

    public bool NeedsApproval => Facts.Placement.RequiresApproval;

    public static async Task<Plan> AnswerAsync(RequestTransaction tx, PlanJobsRequest request)
    {
        var plan = await LoadAsync(tx, PlanAsk.Of(request.Tenant, request.Environment, request.Region, request.Source, request.Prune, request.Artifacts), Verb.Read);
        return PlanDetails.ToProto(plan, await ComputersAsync(tx, plan), await CursorStore.NowAsync(tx));
    }

    /// <param name="verb">What the caller must be granted; where that is not Read, what is bound is held for the transaction.</param>
    public static async Task<JobsPlan> LoadAsync(RequestTransaction tx, PlanAsk ask, Verb verb)
    {
        // Where no artifact names a tenant there is nobody to plan for.
        if (ask.Tenant.Length == 0)
            throw Reject.Invalid("tenant", "is missing, and no artifact names one");
        tx.Demand(verb, ask.Tenant, ask.Environment, $"The tenant {ask.Tenant}");
        var forEdit = verb != Verb.Read;
        string[] pruned = ask.Prune == Prune.No ? [] : [.. await BindingStore.OfSourceAsync(tx, ask.Tenant, ask.Environment, ask.Source, ask.JobIds, running: ask.Prune == Prune.Pause)];
        var bound = await BoundAsync(tx, ask, [.. ask.JobIds, .. pruned], forEdit);
        // Another source took it over, or somebody retired it, while this waited for it: it is not this source's to take away.
        foreach (var job in pruned.Where(job => bound.TryGetValue(job, out var state) && !(state.Binding.ActiveFlag && state.Binding.Source == ask.Source)))
            bound.Remove(job);
        // After the bindings are held: a policy that was put meanwhile is the one that counts.
        var placement = await TenantStore.PlacementAsync(tx, ask.Tenant, ask.Environment) ?? throw Reject.NotFound($"The tenant {ask.Tenant}");
        var placed = ask.Artifacts.Select(artifact => artifact.Reading.Remains).OfType<JobArtifact>().Where(job => job.Tenant == ask.Tenant)
            .Select(job => new PlacedJob(job, bound.GetValueOrDefault(job.JobId)?.Binding.Region ?? (ask.Region.Length > 0 ? ask.Region : placement.HomeRegion))).ToList();
        var facts = await JobFacts.LoadAsync(tx, ask.Tenant, ask.Environment, placement, placed, withGraph: true, forEdit, [.. bound.Values.Select(state => new PlacedJob(state.Job, state.Binding.Region))]);
        return new JobsPlan(ask, Planner.Decide(ask, bound, facts), facts);
    }

    private static async Task<Dictionary<string, BoundState>> BoundAsync(RequestTransaction tx, PlanAsk ask, string[] jobIds, bool forEdit)
    {
        var bindings = await BindingStore.OfAsync(tx, ask.Tenant, ask.Environment, jobIds, forEdit);
        var rows = (await BoundStateStore.StatesAsync(tx, [.. bindings.Select(binding => binding.BindingId)])).ToDictionary(row => row.BindingId);
        // The same meaning need not be read twice.
        var known = ask.Artifacts.Where(artifact => artifact.Reading.Job is not null).DistinctBy(artifact => artifact.Reading.ContentHash)
            .ToDictionary(artifact => artifact.Reading.ContentHash!, artifact => artifact.Reading.Job!);
        return bindings.ToDictionary(binding => binding.JobId, binding =>
        {
            var row = rows[binding.BindingId];
            var job = known.GetValueOrDefault(binding.ContentHash) ?? ArtifactReader.ReadCanonical(row.CanonicalJson)!;
            return new BoundState(binding, job, row.CanonicalJson, row.Paused, row.LastChangeId,
                row.OpenChangeId > 0 ? new ChangeState(row.OpenChangeId, row.OpenHash, row.OpenRemoves) : null);
        });
    }

    // What a job would leave, and who else computes it.
    private static async Task<Dictionary<(string Region, KpiReference Kpi), int>> ComputersAsync(RequestTransaction tx, JobsPlan plan)
    {
        var counts = new Dictionary<(string, KpiReference), int>();
        foreach (var region in plan.Lines.Where(line => line.Bound is not null && line.TouchesForce).GroupBy(line => line.Region, line => line.Bound!.Kpi))
            foreach (var (kpi, jobs) in await BoundStateStore.ComputersAsync(tx, plan.Ask.Tenant, plan.Ask.Environment, region.Key, [.. region.Distinct()]))
                counts[(region.Key, kpi)] = jobs;
        return counts;
    }
}
