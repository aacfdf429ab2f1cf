using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Schedules;

/// <summary>
/// When a job's slots are: a pure function of its expression and its zone, from 1990 to 2100. Instants are returned
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

    private JobSchedule(WallClockCron? cron, TimeZoneInfo zone)
    {
        (_cron, _clock) = (cron, ZoneClock.Of(zone));
        ZoneVersion = ZoneDatabase.VersionFor(zone);
    }

    /// <summary>False for jobs that only run when told to: they have a zone and business dates, and no slots.</summary>
    public bool HasSlots => _cron is not null;

    /// <summary>The time zone database's release (<c>2025b</c>), or a digest of the zone's rules where none can be read.</summary>
    public string ZoneVersion { get; }

    /// <param name="identity">What <c>H</c> in an expression is a hash of: the same binding always gets the same place.</param>
    /// <param name="error">In plain words, for the author; null when this returns true.</param>
    public static bool TryCreate(JobScheduleSpec spec, out JobSchedule? schedule, out string? error, string identity = "")
    {
        schedule = null;
        if (ZoneDatabase.Find(spec.Timezone, out error) is not { } zone) return false;
        var cron = spec.Type == "cron" ? CronText.Parse(spec.Expression, identity, out error) : null;
        if (error is not null) return false;
        var onWallClock = cron is null ? null : new WallClockCron(cron, CronText.IsInterval(spec.Expression), ZoneClock.Of(zone));
        schedule = new JobSchedule(onWallClock, zone);
        return true;
    }

    /// <summary>The first slot strictly after an instant, or null where there is none. It always advances.</summary>
    public DateTimeOffset? Next(DateTimeOffset after) => InRange(after) ? Exact(_cron?.Next(after.UtcDateTime)) : null;

    /// <summary>The last slot strictly before an instant: of a slot, the start of its window.</summary>
    public DateTimeOffset? Previous(DateTimeOffset before) => InRange(before) ? Exact(_cron?.Previous(before.UtcDateTime)) : null;

    /// <summary>The slots in (<paramref name="after"/>, <paramref name="upTo"/>], in order, as they are asked for.</summary>
    public IEnumerable<DateTimeOffset> Slots(DateTimeOffset after, DateTimeOffset upTo)
    {
        for (var slot = Next(after); slot is { } found && found <= upTo; slot = Next(found))
            yield return found;
    }

    /// <summary>The day a slot reports: by <c>previous</c> the last local day that had ended at the slot, by <c>current</c> the slot's own.</summary>
    /// <remarks>A day that the zone skipped is nobody's business date.</remarks>
    public DateOnly BusinessDate(DateTimeOffset slot, string mode)
    {
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
        var found = Previous(EndOf(last));
        // A zone may read the next day for a minute before it returns to this one (St. John's until 2011).
        while (found is { } early && BusinessDate(early, mode) > businessDate) found = Previous(early);
        return found is { } slot && BusinessDate(slot, mode) == businessDate ? slot : null;
    }

    /// <summary>The day that the schedule's zone reads at an instant.</summary>
    public DateOnly LocalDate(DateTimeOffset instant) => DateOnly.FromDateTime(_clock.LocalOf(instant.UtcDateTime));

    /// <summary>The first instant at which the zone's clock reads this time of that day; where it skips it, the first beyond.</summary>
    public DateTimeOffset InstantOf(DateOnly day, TimeOnly time) => new(_clock.InstantOf(day.ToDateTime(time, DateTimeKind.Utc)));

    private static bool InRange(DateTimeOffset instant) => instant >= ZoneClock.Earliest && instant < ZoneClock.Latest;

    private static DateTimeOffset? Exact(DateTime? slot) => slot is { } utc && InRange(utc) ? new DateTimeOffset(utc) : null;
}
