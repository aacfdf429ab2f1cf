using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>Leases open occurrences that are ready: after a wait, for a retry, after a lost lease.</summary>
internal sealed class ReadyWork(ReadyStore store, PlanCache plans, LeaseSender sender, NodeLease node, IOptions<LeaseOptions> options)
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
        var limit = options.Value.BatchSize;
        var scan = await store.ScanAsync(view.Lane.Number, tenants, limit, token);
        clock.Tell(scan.Now);
        var ready = scan.Rows.Where(row => row.ReadyAt <= scan.Now).ToList();
        view.NextReady = ready.Count < scan.Rows.Count ? scan.Rows[ready.Count].ReadyAt : scan.Rows.Count < limit ? DateTimeOffset.MaxValue : scan.Now;
        var gone = ready.Where(row => row.State != 'R').ToList();
        if (gone.Count > 0)
            await store.ForgetAsync(gone, token);
        var grants = await ChooseAsync([.. ready.Where(row => row.State == 'R')], agents, scan.Now, token);
        if (grants.Count < ready.Count - gone.Count)
        {
            view.LeftWork = true;
            view.NextReady = view.NextReady <= scan.Now ? DateTimeOffset.MaxValue : view.NextReady;
        }
        if (grants.Count == 0)
            return false;
        grants.Sort((a, b) => a.Row.BindingId.CompareTo(b.Row.BindingId));
        var granted = await store.GrantAsync(grants, await node.RegisteredAsync(token), token);
        Tell(grants, granted, agents);
        return granted.Count > 0;
    }

    private async Task<List<ReadyGrant>> ChooseAsync(List<ReadyRow> rows, IReadOnlyList<AgentSession> agents, DateTimeOffset now, CancellationToken token)
    {
        var planned = await plans.PlannedAsync(rows, row => new PlanKey(row.BindingId, row.Revision), token);
        var grants = new List<ReadyGrant>(rows.Count);
        foreach (var (row, plan) in FairPick.Interleave(planned, p => p.Row.Tenant))
            if (AgentChoice.Reserve(agents, plan).Session is { } agent)
                grants.Add(new ReadyGrant(row, plan, agent.Id, Guid.CreateVersion7(now)));
        return grants;
    }

    private void Tell(List<ReadyGrant> grants, IReadOnlyList<GrantedReady> granted, IReadOnlyList<AgentSession> agents)
    {
        sender.Send(granted.Select(g => new NewLease
        {
            Plan = g.Grant.Plan, Attempt = g.Grant.Attempt, Session = g.Grant.Session, FenceEpoch = g.FenceEpoch, FenceNumber = g.FenceNumber,
            ScheduledFor = g.Grant.Row.ScheduledFor, WindowStart = g.Grant.Row.WindowStart, BusinessDate = g.Grant.Row.BusinessDate, Kind = g.Grant.Row.Kind,
            RetriesUsed = g.Grant.Row.RetryCount,
        }));
        var sent = granted.Select(g => g.Grant.Attempt).ToHashSet();
        foreach (var unused in grants.Where(g => !sent.Contains(g.Attempt)))
            agents.FirstOrDefault(a => a.Id == unused.Session)?.Release();
    }
}
