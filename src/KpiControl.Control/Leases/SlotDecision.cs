using KpiControl.Jobs.Runs;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Control.Leases;

/// <summary>Decides, from the plan and the database's instant alone, what becomes of a due cursor.</summary>
internal static class SlotDecision
{
    /// <param name="contractInactive">No slot runs; what is open already goes on.</param>
    public static SlotTake Decide(DueRow due, BindingPlan plan, DateTimeOffset now, bool contractInactive = false)
    {
        if (contractInactive)
            return NothingRuns(due, plan, now);
        var schedule = plan.Job.Schedule;
        var missed = MissedSlots.Decide(plan.Schedule, schedule.Catchup, schedule.CatchupWindow, due.Slot, now);
        var slot = missed.RunNow ?? due.Slot;
        return new SlotTake
        {
            Plan = plan,
            Seen = due.Slot,
            NextCursor = missed.NextCursor,
            As = missed.RunNow is null ? TakeAs.Nothing : plan.HasDependencies ? TakeAs.Waiting : TakeAs.Leased,
            Slot = slot,
            WindowStart = plan.Schedule.Previous(slot),
            BusinessDate = plan.BusinessDateOf(slot),
            GivesUpAt = plan.GivesUpAt(slot),
            Reason = missed.RunNow is not null && plan.HasDependencies ? WaitingFor.Dependency : null,
            Skipped = missed.Skipped,
            Queued = missed.Queued,
        };
    }

    /// <summary>Others run, and the job no longer says that it may run beside them.</summary>
    public static SlotTake Overlapped(this SlotTake take) =>
        take with { As = TakeAs.Nothing, Reason = null, Skipped = [.. take.Skipped, new SkippedSlots(SlotRange.One(take.Slot), SkipReason.Overlap)] };

    private static SlotTake NothingRuns(DueRow due, BindingPlan plan, DateTimeOffset now) => new()
    {
        Plan = plan, Seen = due.Slot, NextCursor = plan.Schedule.NextExpected(now), As = TakeAs.Nothing, Slot = due.Slot, BusinessDate = plan.BusinessDateOf(due.Slot),
        Skipped = MissedSlots.LeftBehind(plan.Schedule, SkipReason.ContractInactive, due.Slot, now),
    };

    public static SlotTake LeasedTo(this SlotTake take, SessionRef session, DateTimeOffset now) =>
        take with { As = TakeAs.Leased, Session = session, Attempt = Guid.CreateVersion7(now), Timeout = take.Plan.TimeoutAt(now) };

    public static SlotTake ReadyBecause(this SlotTake take, WaitingFor reason) => take with { As = TakeAs.Ready, Reason = reason };
}
