using KpiControl.Control.Signals;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>Takes due slots: those with nothing to wait for straight to an agent that has credit.</summary>
internal sealed class DueWork(DueStore store, PlanCache plans, DependencyWaits waits, LeaseSender sender, NodeLease node, IOptions<LeaseOptions> options)
{
    private const int SmallestPage = 50;

    /// <returns>Whether there is more to do at once.</returns>
    public async Task<bool> TakeAsync(LaneView view, IReadOnlyList<AgentSession> agents, DatabaseClock clock, CancellationToken token)
    {
        if (!view.TakeCursorsDirty() && clock.Now < view.NextDue)
            return false;
        var limit = PageSize(view, agents);
        var scan = await store.ScanAsync(view.Lane.Number, view.Mark, limit, token);
        clock.Tell(scan.Now);
        var rows = scan.Rows.Where(row => row.Slot <= scan.Now).ToList();
        view.Mark = rows.Count > 0 ? rows[0].Slot : view.Mark;
        view.NextDue = rows.Count < scan.Rows.Count ? scan.Rows[rows.Count].Slot : scan.Rows.Count < limit ? DateTimeOffset.MaxValue : scan.Now;
        if (rows.Count == 0)
            return false;
        var (takes, left) = await DecideAsync(rows, agents, scan, rows.Count == options.Value.BatchSize, token);
        if (left && rows.Count == limit && limit < options.Value.BatchSize && agents.Any(a => a.Credit > 0))
        {
            // What nobody here can run fills the page, and there is credit for what may lie behind it.
            view.WholePage = true;
            view.NextDue = scan.Now;
        }
        else if (left)
        {
            // What is left due needs credit, which wakes the loop, or time, after which it is shown to wait for an agent.
            view.LeftWork = true;
            var look = scan.Now + options.Value.UnroutableAfter;
            view.NextDue = look < view.NextDue || view.NextDue <= scan.Now ? look : view.NextDue;
        }
        if (takes.Count == 0)
            return view.WholePage;
        // The cursors that are about to move come due again; whoever moves them, this node looks then.
        foreach (var take in takes)
            if (take.NextCursor is { } next && next < view.NextDue)
                view.NextDue = next;
        takes.Sort((a, b) => a.Plan.BindingId.CompareTo(b.Plan.BindingId));
        var taken = await store.TakeAsync(takes, await node.RegisteredAsync(token), token);
        await FollowUpAsync(view, takes, taken, agents, token);
        return taken.Count > 0;
    }

    // As many as there is credit for: reading five hundred slots to lease ten of them is most of the cost of the ten.
    private int PageSize(LaneView view, IReadOnlyList<AgentSession> agents)
    {
        var (whole, most) = (view.WholePage, options.Value.BatchSize);
        view.WholePage = false;
        return whole ? most : Math.Clamp(agents.Sum(agent => agent.Credit), Math.Min(SmallestPage, most), most);
    }

    private async Task<(List<SlotTake> Takes, bool Left)> DecideAsync(
        List<DueRow> rows, IReadOnlyList<AgentSession> agents, DueScan scan, bool fullPage, CancellationToken token)
    {
        var planned = await plans.PlannedAsync(rows, row => new PlanKey(row.BindingId, row.Revision), token);
        var (takes, left) = (new List<SlotTake>(rows.Count), false);
        foreach (var (row, plan) in FairPick.Interleave(planned, p => p.Row.Tenant))
        {
            var take = SlotDecision.Decide(row, plan, scan.Now);
            if (take.As != TakeAs.Leased)
            {
                takes.Add(take);
                continue;
            }
            var (agent, lacking) = AgentChoice.Reserve(agents, plan);
            if (agent is not null)
                takes.Add(take.LeasedTo(agent.Id, scan.Now));
            else if (MustPark(lacking, scan.Now - row.Slot, fullPage))
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

    private async Task FollowUpAsync(LaneView view, List<SlotTake> takes, IReadOnlyList<TakenSlot> taken, IReadOnlyList<AgentSession> agents, CancellationToken token)
    {
        sender.Send(taken.Where(t => t.Take.As == TakeAs.Leased && t.Fate == SlotFate.Opened).Select(t => new NewLease
        {
            Plan = t.Take.Plan, Attempt = t.Take.Attempt, Session = t.Take.Session, FenceEpoch = t.FenceEpoch, FenceNumber = t.FenceNumber, ScheduledFor = t.Take.Slot,
            WindowStart = t.Take.WindowStart, BusinessDate = t.Take.BusinessDate, Kind = OccurrenceKind.Schedule, RetriesUsed = 0,
        }));
        var sent = taken.Where(t => t.Take.As == TakeAs.Leased && t.Fate == SlotFate.Opened).Select(t => t.Take.Attempt).ToHashSet();
        foreach (var unused in takes.Where(t => t.As == TakeAs.Leased && !sent.Contains(t.Attempt)))
            agents.FirstOrDefault(a => a.Id == unused.Session)?.Release();
        if (taken.Any(t => t.Take.As == TakeAs.Ready))
            view.MarkReadyDirty();
        if (taken.Any(t => t.Fate == SlotFate.Queued || t.Take.Queued is not null))
            view.MarkQueueDirty();
        view.QueuedElsewhere |= taken.Any(t => t.Take.Queued is not null);
        var waiting = taken.Where(t => t.Take.As == TakeAs.Waiting && t.Fate == SlotFate.Opened).Select(t => t.Take.Plan.BindingId).ToList();
        if (waiting.Count > 0)
            await waits.BeginAsync(waiting, token);
    }
}
