using KpiControl.Jobs.Calendars;
using KpiControl.Jobs.Runs;
using static KpiControl.Control.Runs.OccurrenceStory;

namespace KpiControl.Control.Runs;

/// <summary>What the calendar in force says of a slot. Pure.</summary>
internal static class CalendarStory
{
    /// <summary>Why the calendar takes the slot away, with a space before it; empty where it does not.</summary>
    public static string Sentence(OccurrenceFacts facts)
    {
        if (facts is not { Slot.Kind: "schedule", Schedule.Schedule: { } schedule, Revision: { Calendar: { } calendar } revision })
            return "";
        var at = facts.Slot.ScheduledFor;
        var why = schedule.DayOffAt(at) is { } off ? Day(off)
            : schedule.IsExpected(at) && schedule.ExceptionAt(at) is { } exception
                ? exception.Reason == SkipReason.Blackout ? $"In a blackout ({exception.Name})" : $"Not a business day (holiday: {exception.Name})"
            : null;
        return why is null ? "" : Invariant($" {why}, calendar {calendar} version {revision.CalendarVersion}.");
    }

    private static string Day(CalendarDay day) => $"Not a business day ({day.Date.DayOfWeek}{(day.Name is { } name ? $", holiday: {name}" : "")})";
}
