using Cronos;

namespace KpiControl.Jobs.Schedules;

/// <summary>A cron expression on a zone's wall clock. Cronos reads the calendar; placing its local times is done here, span by span, so an answer always lies beyond the question.</summary>
internal sealed class WallClockCron(CronExpression cron, bool interval, ZoneClock clock) : ISlotSource
{
    public DateTime? Next(DateTime after)
    {
        var index = clock.IndexOf(after);
        if (FirstIn(clock[index], after + clock[index].Offset) is { } here) return here;
        while (++index < clock.Count)
        {
            var span = clock[index];
            if (HasSlotInGap(span)) return span.Start;
            if (cron.GetNextOccurrence(LocalFrom(span), inclusive: true) is not { } found) return null;
            if (found < span.LocalEnd) return found - span.Offset;
            // Of a rare expression most spans have no slot: on to the one in which the next time lies.
            while (index + 1 < clock.Count && clock[index + 1].LocalEnd <= found) index++;
        }
        return null;
    }

    public DateTime? Previous(DateTime before)
    {
        var index = clock.IndexOf(before.AddTicks(-1));
        if (LastIn(clock[index], before + clock[index].Offset) is { } here) return here;
        if (HasSlotInGap(clock[index])) return clock[index].Start;
        while (--index >= 0)
        {
            var span = clock[index];
            if (cron.GetPreviousOccurrence(span.LocalEnd) is not { } found) return null;
            if (found >= LocalFrom(span)) return found - span.Offset;
            if (HasSlotInGap(span)) return span.Start;
            while (index > 0 && found < clock[index - 1].LocalStart && found < clock[index - 1].LocalUnchanged) index--;
        }
        return null;
    }

    private DateTime? FirstIn(ZoneSpan span, DateTime local)
    {
        var from = LocalFrom(span);
        return (local < from ? cron.GetNextOccurrence(from, inclusive: true) : cron.GetNextOccurrence(local)) is { } found && found < span.LocalEnd ? found - span.Offset : null;
    }

    private DateTime? LastIn(ZoneSpan span, DateTime localEnd) =>
        cron.GetPreviousOccurrence(localEnd) is { } found && found >= LocalFrom(span) ? found - span.Offset : null;

    // Local times that come a second time belong to intervals only.
    private DateTime LocalFrom(ZoneSpan span) =>
        !interval && span.LocalUnchanged > span.LocalStart ? span.LocalUnchanged : span.LocalStart;

    private bool HasSlotInGap(ZoneSpan span) => span.LocalUnchanged < span.LocalStart
        && cron.GetNextOccurrence(span.LocalUnchanged, inclusive: true) is { } missing && missing < span.LocalStart;
}
