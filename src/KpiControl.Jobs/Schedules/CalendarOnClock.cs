using KpiControl.Jobs.Calendars;
using KpiControl.Jobs.Runs;

namespace KpiControl.Jobs.Schedules;

/// <summary>A calendar's days and blackouts as instants of one zone.</summary>
/// <param name="spread">Days are those of the expression's time; a blackout is asked about the instant at which a run would start.</param>
internal sealed class CalendarOnClock(WorkCalendar calendar, ZoneClock clock, TimeSpan spread)
{
    private readonly ClosedStretch[] _blackouts = [.. calendar.Blackouts
        .Select(b => new ClosedStretch(At(b.From, clock) - spread, At(b.To, clock) - spread, SkipReason.Blackout, b.Reason)).OrderBy(b => b.From)];

    public WorkCalendar Calendar => calendar;

    public CalendarDay DayOf(DateTime slot) => calendar.Of(DateOnly.FromDateTime(clock.LocalOf(slot)));

    /// <summary>The weekend: a slot there is none.</summary>
    public ClosedStretch? WeekendAt(DateTime slot) => DayOf(slot) is { Kind: DayKind.Weekend } day ? Whole(day, "weekend") : null;

    /// <summary>A holiday or a blackout: a slot there is one, and is skipped.</summary>
    public ClosedStretch? ExceptionAt(DateTime slot)
    {
        if (DayOf(slot) is { Kind: DayKind.Holiday } day) return Whole(day, SkipReason.Holiday);
        foreach (var blackout in _blackouts)
            if (blackout.From > slot) break;
            else if (slot < blackout.Until) return blackout;
        return null;
    }

    private ClosedStretch Whole(CalendarDay day, string reason) =>
        new(clock.InstantOf(day.Date.ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc)), clock.EndOf(day.Date), reason, day.Name);

    private static DateTime At(string text, ZoneClock clock) => BlackoutTimes.LocalTime(text) is { } local ? clock.InstantOf(local) : BlackoutTimes.Instant(text)!.Value;
}
