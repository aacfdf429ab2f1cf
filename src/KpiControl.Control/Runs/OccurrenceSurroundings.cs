using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Schedules;
using KpiControl.Protocol.V1;
using static KpiControl.Control.Runs.OccurrenceStory;

namespace KpiControl.Control.Runs;

/// <summary>What stands around an occurrence: why it was chosen, what came into force while it was open, and what follows it. Pure.</summary>
internal static class OccurrenceSurroundings
{
    /// <summary>After the answer, where nobody named an occurrence: which one this is, and what comes next.</summary>
    public static string Why(OccurrenceFacts facts) => facts switch
    {
        { IsAnswerToNothing: false } => "",
        { Open: not null } => facts.BusinessDate is { } date ? Invariant($" It is open now, for the business date {date:yyyy-MM-dd}.") : " It is open now.",
        { Final: { } last } => Invariant($" It is the last that ended, for the business date {last.BusinessDate:yyyy-MM-dd}; nothing is open, and {Ahead(facts)}."),
        _ => " Nothing of the job has run yet.",
    };

    /// <summary>A change while the occurrence was open: what had not begun then goes on under it.</summary>
    public static IEnumerable<Fact> Later(OccurrenceFacts facts) => facts.LaterRevisions.Select(revision => Fact(revision.EffectiveFrom, "revision",
        $"Revision {revision.Revision} came into force: {Words(revision)}. What of the occurrence had not begun goes on under it.", Invariant($"revision/{revision.Revision}")));

    /// <summary>What stood over the definition while the occurrence was to come or open.</summary>
    public static IEnumerable<Fact> Overrides(OccurrenceFacts facts)
    {
        foreach (var over in facts.Overrides)
        {
            var reference = Invariant($"override/{over.OverrideId}");
            yield return Fact(over.CreatedAt, "override", $"The {over.Kind} was overridden ({over.Value}) by {over.CreatedBy} until {Text(over.ExpiresAt)}{Because(over.Reason)}.", reference);
            if (over.EndedAt is { } ended)
                yield return Fact(ended, "override", $"The override of the {over.Kind} ended: {over.Ending} ({over.EndedBy}).", reference);
        }
    }

    /// <summary>The slot that the schedule makes next, where it is not the one that is told.</summary>
    public static IEnumerable<Fact> Next(OccurrenceFacts facts)
    {
        if (facts.Cursor is { Active: true, NextRunAt: { } next } && next > facts.Slot.ScheduledFor)
            yield return Fact(next, "next", facts.Cursor.Paused == true
                ? "The schedule's next slot; the job is paused, and nothing starts before it is resumed." : "The schedule's next slot.");
        else if (facts is { Cursor: { Active: true, NextRunAt: null }, Schedule.Schedule.EndsAt: { } end })
            yield return Fact(end, "ended", "The schedule ends then (end_at): no slot follows.");
    }

    /// <summary>After the answer that an instant is no slot: whether it lies outside start_at and end_at.</summary>
    public static string Bounds(OccurrenceFacts facts) => facts.Schedule?.Schedule switch
    {
        { StartsAt: { } start } when facts.Slot.ScheduledFor < start => $" It begins at {Text(start)} (start_at).",
        { EndsAt: { } end } when facts.Slot.ScheduledFor > end => $" It ended at {Text(end)} (end_at).",
        _ => "",
    };

    /// <summary>By how much a slot comes after its expression's time, where it does.</summary>
    public static string Moved(JobSchedule schedule) =>
        schedule.SpreadOffset > TimeSpan.Zero ? $", {Durations.Format(schedule.SpreadOffset)} after the expression's time (spread)" : "";

    /// <summary>Which revision a try ran under, where there were several.</summary>
    public static string Under(RunRow run, OccurrenceFacts facts) => facts.LaterRevisions.Count == 0 ? "" : Invariant($", by revision {run.Revision}");

    public static string Words(RevisionRow revision)
    {
        var schedule = revision.ScheduleCron.Length > 0 ? $"schedule '{revision.ScheduleCron}' in {revision.Timezone}" : $"no schedule (zone {revision.Timezone})";
        if (revision.Calendar is { } calendar) schedule += Invariant($" on the calendar {calendar} version {revision.CalendarVersion}");
        return $"{schedule}, definition {revision.ContentHash}{(revision.Active ? "" : ", not active")}, by {revision.ChangedBy}{Because(revision.Reason)}";
    }

    private static string Ahead(OccurrenceFacts facts) => facts.Cursor switch
    {
        { Active: true, Paused: true, NextRunAt: { } next } => $"the job is paused (its next slot: {Text(next)})",
        { Active: true, NextRunAt: { } next } => $"the next is due at {Text(next)}",
        { Active: false } => "the job is not active",
        _ when facts.Schedule?.Schedule.EndsAt is { } end => $"the schedule ended at {Text(end)}",
        _ => "the job has no schedule",
    };
}
