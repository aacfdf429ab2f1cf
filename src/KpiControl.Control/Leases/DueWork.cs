using KpiControl.Control.Signals;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>Takes due slots: those with nothing to wait for straight to an agent that has credit.</summary>
internal sealed class DueWork(DueStore store, AsideStore asides, PlanCache plans, DependencyWaits waits, InactiveContracts contracts, TenantWeights tenantWeights, LeaseSender sender, NodeLease node, IOptions<LeaseOptions> options)
{
    private const int SmallestPage = 50;

    /// <returns>Whether there is more to do at once.</returns>
    public async Task<bool> TakeAsync(LaneView view, IReadOnlyList<AgentSession> agents, DatabaseClock clock, CancellationToken token)
    {
        if (!view.TakeCursorsDirty() && clock.Now < view.NextDue)
            return false;
        var limit = PageSize(view, agents) + view.NotUnderstood;
        var scan = await store.ScanAsync(view.Lane.Number, view.Mark, limit, token);
        clock.Tell(scan.Now);
        var rows = scan.Rows.Where(row => row.Slot <= scan.Now).ToList();
        view.Mark = rows.Count > 0 ? rows[0].Slot : view.Mark;
        view.NextDue = rows.Count < scan.Rows.Count ? scan.Rows[rows.Count].Slot : scan.Rows.Count < limit ? DateTimeOffset.MaxValue : scan.Now;
        if (rows.Count == 0)
            return false;
        var planned = await plans.PlannedAsync(rows, row => new PlanKey(row.BindingId, row.Revision), token);
        planned = await MakeRoomAsync(planned, scan.Now, token);
        var (takes, left) = Decide(planned, await contracts.NowAsync(token), await tenantWeights.NowAsync(token), agents, scan.Now);
        if (left)
            LookBehindWhatIsLeft(view, rows.Count == limit && limit < options.Value.BatchSize, agents, scan.Now);
        if (view.FindNotUnderstood(rows.Count - planned.Count) && rows.Count == limit)
            view.NextDue = scan.Now;
        return takes.Count == 0 ? view.NextDue <= scan.Now : await OpenAsync(view, takes, agents, scan.Now, token);
    }

    // What runs stands aside for the next slot of a job that says so. Of a slot that is decided to be nothing it need not.
    private async Task<IReadOnlyList<(DueRow Row, BindingPlan Plan)>> MakeRoomAsync(IReadOnlyList<(DueRow Row, BindingPlan Plan)> planned, DateTimeOffset now, CancellationToken token)
    {
        var crowded = planned.Where(p => p.Row.IsBusy && p.Plan.RunsBesideItself && SlotDecision.Decide(p.Row, p.Plan, now).As != TakeAs.Nothing).Select(p => new PlanKey(p.Row.BindingId, p.Row.Revision)).ToList();
        if (crowded.Count == 0)
            return planned;
        var free = await asides.StandAsync(crowded, token);
        return [.. planned.Select(p => free.Contains(p.Row.BindingId) ? (p.Row with { IsBusy = false }, p.Plan) : p)];
    }

    private void LookBehindWhatIsLeft(LaneView view, bool mayHide, IReadOnlyList<AgentSession> agents, DateTimeOffset now)
    {
        if (mayHide && agents.Any(agent => agent.Credit > 0))
        {
            // What nobody here can run fills the page, and there is credit for what may lie behind it.
            view.WholePage = true;
            view.NextDue = now;
            return;
        }
        // What is left due needs credit, which wakes the loop, or time, after which it is shown to wait for an agent.
        view.LeftWork = true;
        var look = now + options.Value.UnroutableAfter;
        view.NextDue = look < view.NextDue || view.NextDue <= now ? look : view.NextDue;
    }

    private async Task<bool> OpenAsync(LaneView view, List<SlotTake> takes, IReadOnlyList<AgentSession> agents, DateTimeOffset now, CancellationToken token)
    {
        // The cursors that are about to move come due again; whoever moves them, this node looks then.
        foreach (var take in takes)
            if (take.NextCursor is { } next)
                view.LookAtDueBy(next);
        takes.Sort((a, b) => a.Plan.BindingId.CompareTo(b.Plan.BindingId));
        var taken = await GrantAsync(takes, agents, token);
        // Another node was quicker, or a session is elsewhere and its slot still due. Not at once: on another timeline none is taken.
        if (taken.Count < takes.Count)
            view.LookAtDueBy(now + options.Value.ReclaimEvery);
        await FollowUpAsync(view, taken, token);
        return taken.Count > 0;
    }

    private async Task<IReadOnlyList<TakenSlot>> GrantAsync(List<SlotTake> takes, IReadOnlyList<AgentSession> agents, CancellationToken token)
    {
        try
        {
            var taken = await store.TakeAsync(takes, await node.RegisteredAsync(token), token);
            await SendAsync(takes, taken, agents, token);
            return taken;
        }
        catch
        {
            AgentChoice.EndStreams(agents, takes.Where(t => t.As == TakeAs.Leased).Select(t => t.Session));
            throw;
        }
    }

    // As many as there is credit for: reading five hundred slots to lease ten of them is most of the cost of the ten.
    private int PageSize(LaneView view, IReadOnlyList<AgentSession> agents)
    {
        var (whole, most) = (view.WholePage, options.Value.BatchSize);
        view.WholePage = false;
        return whole ? most : Math.Clamp(agents.Sum(agent => agent.Credit), Math.Min(SmallestPage, most), most);
    }

    private (List<SlotTake> Takes, bool Left) Decide(IReadOnlyList<(DueRow Row, BindingPlan Plan)> planned, IReadOnlySet<ContractKey> inactive, IReadOnlyDictionary<string, int> weights,
        IReadOnlyList<AgentSession> agents, DateTimeOffset now)
    {
        var (takes, left) = (new List<SlotTake>(planned.Count), false);
        var fullPage = planned.Count >= options.Value.BatchSize;
        foreach (var (row, plan) in FairPick.Interleave(planned, p => p.Row.Tenant, weights))
        {
            var take = SlotDecision.Decide(row, plan, now, inactive.Contains(ContractKey.Of(plan)));
            if (row.HasAside && !plan.RunsBesideItself && take.As != TakeAs.Nothing)
                take = take.Overlapped();
            if (take.As != TakeAs.Leased)
            {
                takes.Add(take);
                continue;
            }
            // Whether it queues, is skipped or ends the one before is decided now, and not when somebody has credit for it.
            if (row.IsBusy)
            {
                takes.Add(take.ReadyBecause(WaitingFor.Credit));
                continue;
            }
            var (agent, lacking) = AgentChoice.Reserve(agents, plan);
            if (agent is not null)
                takes.Add(take.LeasedTo(agent.Id, now));
            else if (MustPark(lacking, now - row.Slot, fullPage))
                takes.Add(take.ReadyBecause(lacking));
            else
                left = true;
        }
        return (takes, left);
    }

    // A slot without credit is best left due. One that nobody here can take is shown as waiting for an agent, and a full
    // page of slots that cannot go anywhere must not hide those behind it.
    private bool MustPark(WaitingFor lacking, TimeSpan late, bool fullPage) =>
        fullPage || (lacking == WaitingFor.Agent && late >= options.Value.UnroutableAfter);

    private async Task SendAsync(List<SlotTake> takes, IReadOnlyList<TakenSlot> taken, IReadOnlyList<AgentSession> agents, CancellationToken token)
    {
        var leased = taken.Where(t => t.Take.As == TakeAs.Leased && t.Fate == SlotFate.Opened).ToList();
        await sender.SendAsync([.. leased.Select(t => new NewLease
        {
            Plan = t.Take.Plan, Attempt = t.Take.Attempt, Session = t.Take.Session, Timeout = t.Take.Timeout, FenceEpoch = t.FenceEpoch, FenceNumber = t.FenceNumber, ScheduledFor = t.Take.Slot,
            WindowStart = t.Take.WindowStart, BusinessDate = t.Take.BusinessDate, Kind = OccurrenceKind.Schedule, RetriesUsed = 0,
        })], token);
        var sent = leased.Select(t => t.Take.Attempt).ToHashSet();
        foreach (var unused in takes.Where(t => t.As == TakeAs.Leased && !sent.Contains(t.Attempt)))
            agents.FirstOrDefault(a => a.Id == unused.Session)?.Release();
    }

    private async Task FollowUpAsync(LaneView view, IReadOnlyList<TakenSlot> taken, CancellationToken token)
    {
        if (taken.Any(t => t.Take.As == TakeAs.Ready))
            view.MarkReadyDirty();
        if (taken.Any(t => t.Fate == SlotFate.Queued || t.Take.Queued.Count > 0))
            view.MarkQueueDirty();
        view.QueuedElsewhere |= taken.Any(t => t.Take.Queued.Count > 0);
        var waiting = taken.Where(t => t.Take.As == TakeAs.Waiting && t.Fate == SlotFate.Opened).Select(t => t.Take.Plan.BindingId).ToList();
        if (waiting.Count > 0)
            await waits.BeginAsync(waiting, token);
    }
}
