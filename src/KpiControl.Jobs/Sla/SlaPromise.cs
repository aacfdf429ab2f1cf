using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Sla;

/// <summary>
/// What a clock waits for: a result that reaches <see cref="Needs"/>, recorded by <see cref="WarnAt"/>. Without one it warns
/// there, and breaches at <see cref="BreachAt"/>.
/// </summary>
/// <param name="Needs">The end of the window that a good result must cover at least.</param>
public sealed record SlaPromise(DateTimeOffset WarnAt, DateTimeOffset BreachAt, DateTimeOffset Needs)
{
    /// <summary>Of the database's clock: the smallest difference that it keeps.</summary>
    private static readonly TimeSpan Microsecond = TimeSpan.FromMicroseconds(1);

    // A schedule whose day's first slot comes after the promised time on this many days in a row promises nothing.
    private const int MostDays = 1_000;

    public bool IsKeptBy(DateTimeOffset? goodThrough) => goodThrough >= Needs;

    /// <summary>A result whose window ended at <paramref name="goodThrough"/> is fresh for the target, and stale beyond the grace.</summary>
    public static SlaPromise Freshness(SlaTarget promised, DateTimeOffset goodThrough) =>
        new(goodThrough + promised.Target, goodThrough + promised.Target + promised.GraceInForce, goodThrough + Microsecond);

    /// <summary>The same, where only the business hours count.</summary>
    /// <returns>Null where they end before it is stale.</returns>
    public static SlaPromise? Freshness(SlaTarget promised, DateTimeOffset goodThrough, BusinessHours hours) =>
        hours.After(goodThrough, promised.Target) is { } warn && hours.After(goodThrough, promised.Target + promised.GraceInForce) is { } breach
            ? new SlaPromise(warn, breach, goodThrough + Microsecond) : null;

    /// <summary>What a promise of freshness still wants of a result that is newer, and stale already as well.</summary>
    public SlaPromise BeyondStale(DateTimeOffset goodThrough) => this with { Needs = goodThrough + Microsecond };

    /// <summary>
    /// The first deadline after an instant: on each local day that has a slot at or before it, the day's first slot must have been
    /// delivered; for a job without a schedule, something of that day. A time of day has no grace but the one that is written.
    /// </summary>
    /// <param name="since">Slots up to here are owed by nobody: the job was not there, or had another schedule.</param>
    public static SlaPromise? Availability(SlaAvailability promised, JobSchedule schedule, DateTimeOffset after, DateTimeOffset since)
    {
        var grace = promised.Grace ?? TimeSpan.Zero;
        var day = schedule.LocalDate(after);
        for (var days = 0; days < MostDays; days++, day = day.AddDays(1))
        {
            var needs = schedule.EndOf(day.AddDays(-1));
            if (schedule.HasSlots)
            {
                if (schedule.Next(needs - Microsecond) is not { } slot) return null;
                (needs, day) = (slot, schedule.LocalDate(slot));
            }
            var deadline = schedule.InstantOf(day, promised.Target);
            if (deadline > after && needs > since && needs <= deadline + grace) return new SlaPromise(deadline, deadline + grace, needs);
        }
        return null;
    }
}
