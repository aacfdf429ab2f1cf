using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Plans;

/// <summary>An instant at which a zone's clock is set forward or back.</summary>
/// <param name="Timezone">IANA name.</param>
public sealed record ClockChange(DateTimeOffset At, string Timezone, TimeSpan Before, TimeSpan After)
{
    // A zone that has given its changes up has none within this time.
    private static readonly TimeSpan Foreseeable = TimeSpan.FromDays(2 * 366);

    // As far as a daily job reaches.
    private static readonly TimeSpan Reach = TimeSpan.FromHours(24);

    /// <summary>The first one after an instant, or null where the zone has none in the next two years.</summary>
    public static ClockChange? Next(string timezone, DateTimeOffset after)
    {
        if (ZoneDatabase.Find(timezone, out _) is not { } zone) return null;
        var clock = ZoneClock.Of(zone);
        var next = clock.IndexOf(after.UtcDateTime) + 1;
        return next < clock.Count && clock[next] is var span && span.Start - after.UtcDateTime <= Foreseeable
            ? new ClockChange(new DateTimeOffset(span.Start), timezone, span.Before, span.Offset)
            : null;
    }

    /// <summary>What the change does to a schedule of its zone: the times that the clock would have read without it, beside those that it reads.</summary>
    /// <param name="unchanged">The same schedule on a clock that keeps the offset of before.</param>
    public IReadOnlyList<ClockEffect> EffectsOn(JobSchedule schedule, JobSchedule unchanged)
    {
        var centre = At.UtcDateTime + Before;
        var reach = Reach + (After - Before).Duration();
        bool Seen(DateTime local) => (local - centre).Duration() < Reach;
        var without = unchanged.Slots(At - reach, At + reach).Take(FireTimes.Most * 20).Select(slot => slot.UtcDateTime + Before).Where(Seen).ToList();
        var with = schedule.Slots(At - reach, At + reach).Take(FireTimes.Most * 20).Select(slot => slot.UtcDateTime + (slot < At ? Before : After)).Where(Seen).ToList();
        var gone = new Queue<DateTime>(Less(without, with));
        var effects = Less(with, without).Select(local => new ClockEffect(gone.TryPeek(out var was) && was.Date == local.Date ? gone.Dequeue() : null, local)).ToList();
        return [.. effects.Concat(gone.Select(local => new ClockEffect(local, null))).OrderBy(effect => effect.Without ?? effect.With)];
    }

    /// <inheritdoc cref="EffectsOn(JobSchedule, JobSchedule)"/>
    /// <param name="identity">What places the slots of <paramref name="schedule"/>.</param>
    /// <param name="calendar">The one that it is on.</param>
    public IReadOnlyList<ClockEffect> EffectsOn(JobSchedule schedule, JobScheduleSpec spec, string identity, WorkCalendar? calendar = null) =>
        JobSchedule.TryCreate(spec, _ => Before, schedule.ZoneVersion, identity, calendar, out var unchanged, out _) ? EffectsOn(schedule, unchanged!) : [];

    // By number: a time that comes twice is once more than it would be.
    private static IEnumerable<DateTime> Less(IEnumerable<DateTime> from, IEnumerable<DateTime> taken)
    {
        var left = taken.GroupBy(time => time).ToDictionary(times => times.Key, times => times.Count());
        foreach (var time in from)
            if (left.GetValueOrDefault(time) is > 0 and var count) left[time] = count - 1;
            else yield return time;
    }
}

/// <summary>A wall-clock time that vanishes, comes once more, or moves. Times are local and of no kind.</summary>
public sealed record ClockEffect(DateTime? Without, DateTime? With)
{
    public string Kind => Without is null ? "appears" : With is null ? "vanishes" : "moves";
}
