using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;
using KpiControl.Jobs.Calendars;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Validation;

/// <summary>Whether a schedule says something, and whether the rest of the job fits between its slots.</summary>
internal static class ScheduleRules
{
    public static void Check(JobArtifact job, ArtifactNode root, FindingList findings)
    {
        var spec = job.Schedule;
        if (!JobSchedule.TryCreate(new JobScheduleSpec { Type = "manual", Timezone = spec.Timezone }, out _, out var error))
        {
            findings.Error("meaning.timezone", root.Nearest("schedule", "timezone"), Sentence(error), "Write an IANA name, such as Europe/Berlin.");
            return;
        }

        if (!JobSchedule.TryCreate(spec with { Type = "manual" }, out _, out error))
            findings.Error("meaning.bounds", root.Nearest("schedule", error!.Contains("end_at", StringComparison.Ordinal) ? "end_at" : "start_at"), Sentence(error), "A day counts whole; a time without an offset is the schedule's zone's.");
        else if (spec.Type == "cron") CheckCron(job, root, findings);
        else if (spec.Expression.Length > 0)
            findings.Error("meaning.expression", root.Nearest("schedule", "expression"), $"A job of type {spec.Type} has no cron expression.", "Remove expression, or write type: cron.");
        if (spec is { Calendar: not null, Type: not "cron" })
            findings.Error("meaning.calendar", root.Nearest("schedule", "calendar"), $"A calendar acts on the slots of a cron schedule; a job of type {spec.Type} has none.", "Remove calendar.");
        else if (spec.Calendar is { } name && !CalendarReader.IsName(name))
            findings.Error("meaning.calendar", root.Nearest("schedule", "calendar"), $"'{name}' is no name of a calendar.", "Small letters, digits, _ and -, as in kpictl calendars list.");
        if (spec.Type == "event" && spec.On.Count == 0)
            findings.Error("meaning.on", root.Nearest("schedule"), "A job of type event needs the signals that start it.", "Add schedule.on, such as [erp_eod_sync].");
        if (spec.Type != "event" && spec.On.Count > 0)
            findings.Error("meaning.on", root.Nearest("schedule", "on"), $"A job of type {spec.Type} is started by no signal.", "Remove on; what a run waits for stands under dependencies.signals.");
    }

    private static void CheckSpread(JobArtifact job, SlotSample slots, ArtifactNode root, FindingList findings)
    {
        if (job.Schedule.Spread is { } spread && slots.Shortest is { } gap && spread > gap)
            findings.Error("meaning.spread", root.Nearest("schedule", "spread"), $"The spread of {Durations.Format(spread)} is longer than the {Durations.Format(gap)} that can lie between two slots.", "Write a shorter one: a slot must not move past its successor.");
    }

    private static void CheckCron(JobArtifact job, ArtifactNode root, FindingList findings)
    {
        var at = root.Nearest("schedule", "expression");
        if (job.Schedule.Expression.Length == 0)
            findings.Error("meaning.expression", at, "A job of type cron needs an expression.", "Add schedule.expression, such as \"0 2 * * *\".");
        else if (!JobSchedule.TryCreate(ByItself(job.Schedule), out var schedule, out var error, calendar: WorkCalendar.Weekdays))
            findings.Error("meaning.cron", at, Sentence(error), BusinessDayExpression.IsMeant(job.Schedule.Expression)
                ? "Write it as @business_day L-2 of month at 18:00, and name the calendar." : "Five fields (minute, hour, day of month, month, day of week), six with seconds first, or a macro such as @daily.");
        else if (SlotSample.Of(schedule!, job.Schedule.Timezone) is not { } slots)
            findings.Error("meaning.no_next_occurrence", at, job.Schedule is { StartAt: null, EndAt: null } ? "This expression never comes round." : "No slot of this expression lies between start_at and end_at.", "Look at the day of month and the month: the 30th of February does not exist.");
        else
        {
            CheckDays(job, root, findings);
            CheckSpread(job, slots, root, findings);
            SlotRules.Check(job, slots, root, findings);
        }
    }

    // The text alone says nothing of a calendar's days (CalendarCheck does): cron as if there were none, business days as the week has them.
    private static JobScheduleSpec ByItself(JobScheduleSpec spec) =>
        spec with { Spread = null, Calendar = BusinessDayExpression.IsMeant(spec.Expression) ? spec.Calendar : null };

    /// <summary>Other crons take either day where both are restricted, ours takes both: the author says that it is known.</summary>
    private static void CheckDays(JobArtifact job, ArtifactNode root, FindingList findings)
    {
        if (BusinessDayExpression.IsMeant(job.Schedule.Expression)) return;
        var fields = job.Schedule.Expression.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        var both = fields.Length >= 5 && fields[^3] is not ("*" or "?") && fields[^1] is not ("*" or "?");
        if (both && job.Schedule.DayMatch is null)
            findings.Error("meaning.day_match", root.Nearest("schedule", "expression"), "Day of month and day of week are both restricted; here both must match, other crons run on either.", "Add day_match: all if both must match, or write * for one of them.");
        if (!both && job.Schedule.DayMatch is not null)
            findings.Warn("meaning.day_match", root.Nearest("schedule", "day_match"), "day_match says something only where day of month and day of week are both restricted.", "Remove day_match.");
    }

    private static string Sentence(string? error) => error is null or "" ? "" : char.ToUpperInvariant(error[0]) + error[1..].TrimEnd('.') + ".";
}
