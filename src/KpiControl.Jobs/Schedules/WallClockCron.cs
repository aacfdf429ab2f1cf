using Cronos;

namespace KpiControl.Jobs.Schedules;

/// <summary>A cron expression on a zone's wall clock. Cronos reads the calendar; placing its local times is done here, span by span, so an answer always lies beyond the question.</summary>
internal sealed class WallClockCron(CronExpression cron, bool interval, ZoneClock clock)
{
    public DateTime? Next(DateTime after)
    {
        var index = clock.IndexOf(after);
        if (FirstIn(clock[index], after + clock[index].Offset, inclusive: false) is { } here) return here;
        while (++index < clock.Count)
        {
            var span = clock[index];
            if (HasSlotInGap(span)) return span.Start;
            if (FirstIn(span, LocalFrom(span), inclusive: true) is { } there) return there;
        }
        return null;
    }

    public DateTime? Previous(DateTime before)
    {
        for (var index = clock.IndexOf(before.AddTicks(-1)); index >= 0; index--)
        {
            var span = clock[index];
            var end = before < span.End ? before : span.End;
            if (LastIn(span, end + span.Offset) is { } slot) return slot;
            if (HasSlotInGap(span)) return span.Start;
        }
        return null;
    }

    private DateTime? FirstIn(ZoneSpan span, DateTime local, bool inclusive)
    {
        var from = LocalFrom(span);
        if (local < from) (local, inclusive) = (from, true);
        return cron.GetNextOccurrence(local, inclusive) is { } found && found < span.LocalEnd ? found - span.Offset : null;
    }

    private DateTime? LastIn(ZoneSpan span, DateTime localEnd) =>
        cron.GetPreviousOccurrence(localEnd) is { } found && found >= LocalFrom(span) ? found - span.Offset : null;

    // Local times that come a second time belong to intervals only.
    private DateTime LocalFrom(ZoneSpan span) =>
        !interval && span.LocalUnchanged > span.LocalStart ? span.LocalUnchanged : span.LocalStart;

    private bool HasSlotInGap(ZoneSpan span) => span.LocalUnchanged < span.LocalStart
        && cron.GetNextOccurrence(span.LocalUnchanged, inclusive: true) is { } missing && missing < span.LocalStart;
}
