using KpiControl.Control.Hosting;
using KpiControl.Control.Runs;

namespace KpiControl.Control.Backfills;

/// <summary>One slot that a backfill is of.</summary>
internal sealed record BackfillSlot(DateTimeOffset Slot, DateTimeOffset? WindowStart, DateOnly BusinessDate);

/// <summary>Which slots a window of business dates has; pure.</summary>
internal static class BackfillSlots
{
    public const int Most = 20_000;

    /// <summary>Those whose business date lies within, up to now, in order of time.</summary>
    public static List<BackfillSlot> Of(BindingSchedule schedule, DateOnly first, DateOnly last, DateTimeOffset now)
    {
        var slots = new List<BackfillSlot>();
        // A slot reports a day that ended at most some days before it, or its own, and a spread moves it by less than its gap.
        var (from, until) = (schedule.Schedule.EndOf(first.AddDays(-2)), schedule.Schedule.EndOf(last.AddDays(3)) + schedule.Schedule.SpreadOffset);
        var previous = schedule.Schedule.Previous(from);
        foreach (var slot in schedule.Schedule.Slots(from.AddTicks(-1), until < now ? until : now))
        {
            if (schedule.BusinessDate(slot) is var date && date >= first && date <= last)
                slots.Add(new BackfillSlot(slot, previous, date));
            if (slots.Count > Most)
                throw Reject.TooLarge($"The window has more than {Most} slots: backfill it in parts.");
            previous = slot;
        }
        return slots;
    }
}
