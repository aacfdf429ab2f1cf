using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>Leases open occurrences that are ready: after a wait, for a retry, after a lost lease.</summary>
internal sealed class ReadyWork(ReadyStore store, PlanCache plans, LeaseSender sender, TenantWeights weights, NodeLease node, IOptions<LeaseOptions> options)
{
    /// <returns>Whether there is more to do at once.</returns>
    public async Task<bool> LeaseAsync(LaneView view, IReadOnlyList<AgentSession> agents, DatabaseClock clock, CancellationToken token)
    {
        if (!view.TakeReadyDirty() && clock.Now < view.NextReady)
            return false;
        // Of all that are connected, with or without credit: what is left for lack of credit must be known to be left.
        var tenants = agents.SelectMany(a => a.Opening.Tenants).Distinct().ToArray();
        if (!agents.Any(a => a.Credit > 0))
        {
            view.LeftWork = true;
            view.NextReady = DateTimeOffset.MaxValue;
            return false;
        }
        view.NextReady = DateTimeOffset.MaxValue;
        var (leased, after) = (false, (ReadyRow?)null);
        do
        {
            var scan = await store.ScanAsync(view.Lane.Number, tenants, after, options.Value.BatchSize, token);
            clock.Tell(scan.Now);
            (var some, after) = await LeasePageAsync(view, scan, agents, token);
            leased |= some;
        }
        while (after is not null);
        return leased;
    }

    /// <returns>Whether any was leased, and where to go on: behind a page that was full of what nobody here can run.</returns>
    private async Task<(bool Leased, ReadyRow? GoOnAfter)> LeasePageAsync(LaneView view, ReadyScan scan, IReadOnlyList<AgentSession> agents, CancellationToken token)
    {
        var ready = scan.Rows.Where(row => row.ReadyAt <= scan.Now).ToList();
        var full = ready.Count == options.Value.BatchSize;
        view.LookAtReadyBy(ready.Count < scan.Rows.Count ? scan.Rows[ready.Count].ReadyAt : full ? scan.Now : DateTimeOffset.MaxValue);
        var gone = ready.Where(row => row.State != 'R').ToList();
        if (gone.Count > 0)
            await store.ForgetAsync(gone, token);
        var grants = await ChooseAsync([.. ready.Where(row => row.State == 'R')], agents, scan.Now, token);
        var left = grants.Count < ready.Count - gone.Count;
        if (left)
        {
            view.LeftWork = true;
            view.NextReady = view.NextReady <= scan.Now ? DateTimeOffset.MaxValue : view.NextReady;
        }
        var granted = grants.Count > 0 ? await GrantAsync(view, grants, agents, token) : 0;
        // A session is elsewhere, and what it was to have is still ready. Not at once: on another timeline none is granted.
        if (granted < grants.Count)
            view.LookAtReadyBy(scan.Now + options.Value.ReclaimEvery);
        return (granted > 0, full && left && agents.Any(agent => agent.Credit > 0) ? ready[^1] : null);
    }

    private async Task<int> GrantAsync(LaneView view, List<ReadyGrant> grants, IReadOnlyList<AgentSession> agents, CancellationToken token)
    {
        var granted = await GrantAsync(grants, agents, store.GrantAsync, token);
        // What runs now makes room for what queues behind it, in whichever lane.
        view.QueuedElsewhere |= granted.Any(g => g.Grant.Plan.RunsBesideItself);
        return granted.Count;
    }

    /// <summary>Leases and tells: of a grant that fails half-way nobody knows whether it was committed.</summary>
    public async Task<IReadOnlyList<GrantedReady>> GrantAsync(
        List<ReadyGrant> grants, IReadOnlyList<AgentSession> agents, Func<IReadOnlyList<ReadyGrant>, NodeRef, CancellationToken, Task<IReadOnlyList<GrantedReady>>> grant, CancellationToken token)
    {
        grants.Sort((a, b) => a.Row.BindingId.CompareTo(b.Row.BindingId));
        try
        {
            var granted = await grant(grants, await node.RegisteredAsync(token), token);
            await TellAsync(grants, granted, agents, token);
            return granted;
        }
        catch
        {
            AgentChoice.EndStreams(agents, grants.Select(grant => grant.Session));
            throw;
        }
    }

    /// <summary>Those that an agent here has a slot for, which is reserved.</summary>
    public async Task<List<ReadyGrant>> ChooseAsync(List<ReadyRow> rows, IReadOnlyList<AgentSession> agents, DateTimeOffset now, CancellationToken token)
    {
        var planned = await plans.PlannedAsync(rows, row => new PlanKey(row.BindingId, row.RunsUnder), token);
        var grants = new List<ReadyGrant>(rows.Count);
        foreach (var (row, plan) in FairPick.Interleave(planned, p => p.Row.Tenant, await weights.NowAsync(token)))
            if (AgentChoice.Reserve(agents, plan).Session is { } agent)
                grants.Add(new ReadyGrant(row, plan, agent.Id, Guid.CreateVersion7(now), plan.TimeoutAt(now)));
        return grants;
    }

    private async Task TellAsync(List<ReadyGrant> grants, IReadOnlyList<GrantedReady> granted, IReadOnlyList<AgentSession> agents, CancellationToken token)
    {
        await sender.SendAsync([.. granted.Select(g => new NewLease
        {
            Plan = g.Grant.Plan, Attempt = g.Grant.Attempt, Session = g.Grant.Session, Timeout = g.Grant.Timeout, FenceEpoch = g.FenceEpoch, FenceNumber = g.FenceNumber,
            ScheduledFor = g.Grant.Row.ScheduledFor, WindowStart = g.Grant.Row.WindowStart, BusinessDate = g.Grant.Row.BusinessDate, Kind = g.Grant.Row.Kind,
            RetriesUsed = g.Grant.Row.RetryCount,
        })], token);
        var sent = granted.Select(g => g.Grant.Attempt).ToHashSet();
        foreach (var unused in grants.Where(g => !sent.Contains(g.Attempt)))
            agents.FirstOrDefault(a => a.Id == unused.Session)?.Release();
    }
}
