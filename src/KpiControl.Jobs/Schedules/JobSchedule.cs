using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Schedules;

/// <summary>
/// When a job's slots are: a pure function of its expression, its zone and its identity, from 1970 to 2100. Instants are returned
/// with offset zero, at whole seconds.
/// </summary>
/// <remarks>
/// Clock changes: a local time that does not exist is the first instant beyond it, one that exists twice is the first
/// of the two, and interval expressions (<c>*</c>, <c>/</c> or <c>-</c> in the fields of a time of day) go through both.
/// Safe for use by many threads; a slot costs less than a microsecond.
/// </remarks>
public sealed class JobSchedule
{
    private readonly WallClockCron? _cron;
    private readonly ZoneClock _clock;
    private readonly ScheduleBounds _bounds;

    private JobSchedule(WallClockCron? cron, ZoneClock clock, ScheduleBounds bounds, TimeSpan offset, string zoneVersion)
    {
        (_cron, _clock, _bounds) = (cron, clock, bounds);
        (SpreadOffset, ZoneVersion) = (offset, zoneVersion);
    }

    /// <summary>False for jobs that only run when told to: they have a zone and business dates, and no slots.</summary>
    public bool HasSlots => _cron is not null;

    /// <summary>The time zone database's release (<c>2025b</c>), or a digest of the zone's rules where none can be read.</summary>
    public string ZoneVersion { get; }

    /// <summary>By how much each slot comes after the expression's time: less than <c>spread</c>, and for ever the same for one identity.</summary>
    public TimeSpan SpreadOffset { get; }

    /// <summary>No slot lies before it; null where the schedule names none.</summary>
    public DateTimeOffset? StartsAt => _bounds.From == ScheduleBounds.None.From ? null : new DateTimeOffset(_bounds.From);

    /// <summary>No slot lies after it; null where the schedule names none.</summary>
    public DateTimeOffset? EndsAt => _bounds.Until == ScheduleBounds.None.Until ? null : new DateTimeOffset(_bounds.Until);

    /// <param name="identity">What <c>H</c> in an expression and the place within <c>spread</c> are a hash of: the same binding always gets the same place.</param>
    /// <param name="error">In plain words, for the author; null when this returns true.</param>
    public static bool TryCreate(JobScheduleSpec spec, out JobSchedule? schedule, out string? error, string identity = "")
    {
        schedule = null;
        return ZoneDatabase.Find(spec.Timezone, out error) is { } zone
            && TryCreate(spec, ZoneClock.Of(zone), ZoneDatabase.VersionFor(zone), identity, out schedule, out error);
    }

    /// <summary>The schedule as another time zone database would have it.</summary>
    /// <param name="offsetAt">Of the schedule's zone, at an instant in UTC.</param>
    public static bool TryCreate(JobScheduleSpec spec, Func<DateTime, TimeSpan> offsetAt, string zoneVersion, string identity, out JobSchedule? schedule, out string? error) =>
        TryCreate(spec, ZoneClock.Of(offsetAt), zoneVersion, identity, out schedule, out error);

    private static bool TryCreate(JobScheduleSpec spec, ZoneClock clock, string zoneVersion, string identity, out JobSchedule? schedule, out string? error)
    {
        schedule = null;
        error = null;
        var cron = spec.Type == "cron" ? CronText.Parse(spec.Expression, identity, out error) : null;
        if (error is not null || ScheduleBounds.Of(spec, clock, out error) is not { } bounds) return false;
        var onWallClock = cron is null ? null : new WallClockCron(cron, CronText.IsInterval(spec.Expression), clock);
        schedule = new JobSchedule(onWallClock, clock, bounds, Spread.Offset(spec.Spread, identity), zoneVersion);
        return true;
    }

    /// <summary>The first slot strictly after an instant, or null where there is none. It always advances.</summary>
    public DateTimeOffset? Next(DateTimeOffset after)
    {
        if (!InRange(after)) return null;
        var from = after.UtcDateTime < _bounds.From ? _bounds.From.AddTicks(-1) : after.UtcDateTime;
        return _cron?.Next(from - SpreadOffset) + SpreadOffset is { } slot && slot <= _bounds.Until ? Exact(slot) : null;
    }

    /// <summary>The last slot strictly before an instant: of a slot, the start of its window.</summary>
    public DateTimeOffset? Previous(DateTimeOffset before)
    {
        if (!InRange(before)) return null;
        var until = before.UtcDateTime > _bounds.Until ? _bounds.Until.AddTicks(1) : before.UtcDateTime;
        return _cron?.Previous(until - SpreadOffset) + SpreadOffset is { } slot && slot >= _bounds.From ? Exact(slot) : null;
    }

    /// <summary>Whether an instant is a slot.</summary>
    public bool IsSlot(DateTimeOffset instant) => Next(instant.AddTicks(-1)) == instant;

    /// <summary>The slots in (<paramref name="after"/>, <paramref name="upTo"/>], in order, as they are asked for.</summary>
    public IEnumerable<DateTimeOffset> Slots(DateTimeOffset after, DateTimeOffset upTo)
    {
        for (var slot = Next(after); slot is { } found && found <= upTo; slot = Next(found))
            yield return found;
    }

    /// <summary>The day a slot reports: by <c>previous</c> the last local day that had ended at the slot, by <c>current</c> the slot's own.</summary>
    /// <remarks>A day that the zone skipped is nobody's business date. A slot that <c>spread</c> moved keeps the date of its expression's time.</remarks>
    public DateOnly BusinessDate(DateTimeOffset slot, string mode)
    {
        if (SpreadOffset > TimeSpan.Zero && IsSlot(slot)) slot -= SpreadOffset;
        var day = DateOnly.FromDateTime(_clock.LocalOf(slot.UtcDateTime));
        if (mode == "current") return day;
        do day = day.AddDays(-1);
        while (EndOf(day) > slot || !_clock.Has(day));
        return day;
    }

    /// <summary>The instant a local day had ended in the schedule's zone; for a day that the zone skipped, the one it was skipped at.</summary>
    public DateTimeOffset EndOf(DateOnly businessDate) => new(_clock.EndOf(businessDate));

    /// <summary>The last slot that carries a business date, or null: what a dependent on this job waits for.</summary>
    public DateTimeOffset? LastSlotOf(DateOnly businessDate, string mode)
    {
        if (!HasSlots || !_clock.Has(businessDate)) return null;
        var last = businessDate;
        if (mode != "current")
            do last = last.AddDays(1);
            while (!_clock.Has(last));
        var found = Previous(EndOf(last) + SpreadOffset);
        // A zone may read the next day for a minute before it returns to this one (St. John's until 2011).
        while (found is { } early && BusinessDate(early, mode) > businessDate) found = Previous(early);
        return found is { } slot && BusinessDate(slot, mode) == businessDate ? slot : null;
    }

    /// <summary>The day that the schedule's zone reads at an instant.</summary>
    public DateOnly LocalDate(DateTimeOffset instant) => DateOnly.FromDateTime(_clock.LocalOf(instant.UtcDateTime));

    /// <summary>The first instant at which the zone's clock reads this time of that day; where it skips it, the first beyond.</summary>
    public DateTimeOffset InstantOf(DateOnly day, TimeOnly time) => new(_clock.InstantOf(day.ToDateTime(time, DateTimeKind.Utc)));

    private static bool InRange(DateTimeOffset instant) => instant >= ZoneClock.Earliest && instant < ZoneClock.Latest;

    private static DateTimeOffset? Exact(DateTime slot) => InRange(slot) ? new DateTimeOffset(slot) : null;
}
