using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Schedules;
using KpiControl.Jobs.Validation;

namespace KpiControl.Jobs.Calendars;

/// <summary>A job against the calendar that it names: that it exists, and that the schedule still has slots on it.</summary>
/// <remarks>Findings have a path and no place in a text; <see cref="Contracts.FindingPlaces"/> adds it where there is one.</remarks>
public static class CalendarCheck
{
    // As for the rest of the meaning: a verdict depends on what is looked at, not on when.
    private static readonly DateTimeOffset From = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <param name="calendar">The version that would be in force; null where there is none of that name.</param>
    /// <param name="known">Names that may have been meant.</param>
    public static IReadOnlyList<Finding> Check(JobArtifact job, WorkCalendar? calendar, IEnumerable<string> known)
    {
        if (job.Schedule is not { Calendar: { } name, Type: "cron" } spec) return [];
        if (calendar is null)
            return [Error("/schedule/calendar", $"There is no calendar {name}.",
                NearestName.Of(name, known) is { } meant ? $"Did you mean {meant}?" : "Store it first: kpictl calendars put FILE.")];
        if (!JobSchedule.TryCreate(spec with { Spread = null }, out var schedule, out var error, calendar: calendar))
            return IsSaidAlready(spec) ? [] : [Error("/schedule/expression", char.ToUpperInvariant(error![0]) + error[1..] + ".", "")];
        return (schedule!.Next(From) ?? schedule.Next(ZoneClock.Earliest)) is not null ? []
            : [Error("/schedule/expression", $"On the calendar {name} this expression never comes round: all its times are on weekends, on holidays or in blackouts.", $"kpictl calendars preview {name} shows its days.")];
    }

    // What is wrong with the text by itself has its finding.
    private static bool IsSaidAlready(JobScheduleSpec spec) => !JobSchedule.TryCreate(spec with { Spread = null }, out _, out _, calendar: WorkCalendar.Weekdays);

    private static Finding Error(string path, string message, string hint) => new(path, 0, 0, "meaning.calendar", Severity.Error, message, hint);
}
