using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;

namespace KpiControl.Jobs.Schedules;

/// <summary>
/// When a job's slots are: a pure function of its expression, its calendar, its zone and its identity, from 1970 to 2100. Instants are returned
/// with offset zero, at whole seconds.
/// </summary>
/// <remarks>
/// Clock changes: a local time that does not exist is the first instant beyond it, one that exists twice is the first
/// of the two, and interval expressions (<c>*</c>, <c>/</c> or <c>-</c> in the fields of a time of day) go through both.
/// Safe for use by many threads; a slot costs less than a microsecond.
/// </remarks>
public sealed class JobSchedule
{
    // What the expression and the week say, and of that what no holiday and no blackout takes away; the same where no calendar is.
    private readonly ISlotSource? _source, _expected, _firing;
    private readonly CalendarOnClock? _calendar;
    private readonly ZoneClock _clock;
    private readonly ScheduleBounds _bounds;
    // Where a schedule stands over another one for a while: the one that comes back, and when.
    private readonly JobSchedule? _then;
    private readonly DateTimeOffset _until;

    private JobSchedule(ISlotSource? source, CalendarOnClock? calendar, ZoneClock clock, ScheduleBounds bounds, TimeSpan offset, string zoneVersion)
    {
        (_source, _calendar, _clock, _bounds) = (source, calendar, clock, bounds);
        (SpreadOffset, ZoneVersion) = (offset, zoneVersion);
        _expected = source is null || calendar is null ? source : new OpenSlots(source, calendar.WeekendAt);
        _firing = _expected is null || calendar is null ? source : new OpenSlots(_expected, calendar.ExceptionAt);
    }

    private JobSchedule(JobSchedule first, DateTimeOffset until, JobSchedule then)
    {
        (_source, _expected, _firing, _calendar, _clock, _bounds) = (first._source, first._expected, first._firing, first._calendar, first._clock, first._bounds);
        (SpreadOffset, ZoneVersion, _until, _then) = (first.SpreadOffset, first.ZoneVersion, until, then);
    }

    /// <summary>False for jobs that only run when told to: they have a zone and business dates, and no slots.</summary>
    public bool HasSlots => _firing is not null;

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
    /// <param name="calendar">The one that the schedule names: without it such a schedule is refused, never read as if it named none.</param>
    public static bool TryCreate(JobScheduleSpec spec, out JobSchedule? schedule, out string? error, string identity = "", WorkCalendar? calendar = null)
    {
        schedule = null;
        return ZoneDatabase.Find(spec.Timezone, out error) is { } zone
            && TryCreate(spec, ZoneClock.Of(zone), ZoneDatabase.VersionFor(zone), identity, calendar, out schedule, out error);
    }

    /// <summary>The schedule as another time zone database would have it.</summary>
    /// <param name="offsetAt">Of the schedule's zone, at an instant in UTC.</param>
    public static bool TryCreate(JobScheduleSpec spec, Func<DateTime, TimeSpan> offsetAt, string zoneVersion, string identity, WorkCalendar? calendar, out JobSchedule? schedule, out string? error) =>
        TryCreate(spec, ZoneClock.Of(offsetAt), zoneVersion, identity, calendar, out schedule, out error);

    private static bool TryCreate(JobScheduleSpec spec, ZoneClock clock, string zoneVersion, string identity, WorkCalendar? calendar, out JobSchedule? schedule, out string? error)
    {
        schedule = null;
        if (ScheduleBounds.Of(spec, clock, out error) is not { } bounds) return false;
        var source = spec.Type == "cron" ? ScheduleSource.Of(spec, clock, identity, calendar, out error) : null;
        if (error is not null) return false;
        var offset = Spread.Offset(spec.Spread, identity);
        var onClock = spec.Calendar is null || source is null ? null : new CalendarOnClock(calendar!, clock, offset);
        schedule = new JobSchedule(source, onClock, clock, bounds, offset, zoneVersion);
        return true;
    }

    /// <summary>The slots of this schedule before an instant, and those of another one from it on: nobody has to be there when it changes.</summary>
    /// <param name="then">Of the same zone and calendar.</param>
    public JobSchedule Until(DateTimeOffset instant, JobSchedule then) => new(this, instant, then);

    /// <summary>The first slot that fires strictly after an instant, or null where there is none. It always advances.</summary>
    public DateTimeOffset? Next(DateTimeOffset after) => Next(after, schedule => schedule._firing);

    /// <summary>The same, and also those that a holiday or a blackout of the calendar takes away: each of them has a disposition.</summary>
    public DateTimeOffset? NextExpected(DateTimeOffset after) => Next(after, schedule => schedule._expected);

    /// <summary>The last slot that fires strictly before an instant: of a slot, the start of its window.</summary>
    public DateTimeOffset? Previous(DateTimeOffset before) => Previous(before, schedule => schedule._firing);

    /// <summary>The last strictly before an instant, those that the calendar takes away included.</summary>
    public DateTimeOffset? PreviousExpected(DateTimeOffset before) => Previous(before, schedule => schedule._expected);

    private DateTimeOffset? Next(DateTimeOffset after, Func<JobSchedule, ISlotSource?> source)
    {
        if (_then is null) return Next(source(this), after);
        if (after < _until && Next(source(this), after) is { } slot && slot < _until) return slot;
        return _then.Next(after < _until ? _until.AddTicks(-1) : after, source);
    }

    private DateTimeOffset? Previous(DateTimeOffset before, Func<JobSchedule, ISlotSource?> source)
    {
        if (_then is null || before <= _until) return Previous(source(this), before);
        return _then.Previous(before, source) is { } slot && slot >= _until ? slot : Previous(source(this), _until);
    }

    /// <summary>The time that counts on the business days of its calendar, in its zone; null without a calendar, and where the text is no range.</summary>
    /// <param name="hours">As in <c>09:00-17:00</c>.</param>
    public BusinessHours? BusinessHours(string hours) => _calendar is null ? null : Calendars.BusinessHours.Of(hours, _calendar.Calendar, _clock);

    /// <summary>Why an expected slot does not fire; null where it does.</summary>
    public CalendarException? ExceptionAt(DateTimeOffset slot) =>
        _calendar?.ExceptionAt(slot.UtcDateTime - SpreadOffset) is { } closed ? new CalendarException(closed.Reason, closed.Name ?? "") : null;

    /// <summary>The weekend day of an instant at which the expression alone would fire; null for every other instant, and without a calendar.</summary>
    public CalendarDay? DayOffAt(DateTimeOffset instant) =>
        _calendar?.DayOf(instant.UtcDateTime - SpreadOffset) is { Kind: DayKind.Weekend } day && Next(instant.AddTicks(-1), schedule => schedule._source) == instant ? day : null;

    private DateTimeOffset? Next(ISlotSource? source, DateTimeOffset after)
    {
        if (!InRange(after)) return null;
        var from = after.UtcDateTime < _bounds.From ? _bounds.From.AddTicks(-1) : after.UtcDateTime;
        return source?.Next(from - SpreadOffset) + SpreadOffset is { } slot && slot <= _bounds.Until ? Exact(slot) : null;
    }

    private DateTimeOffset? Previous(ISlotSource? source, DateTimeOffset before)
    {
        if (!InRange(before)) return null;
        var until = before.UtcDateTime > _bounds.Until ? _bounds.Until.AddTicks(1) : before.UtcDateTime;
        return source?.Previous(until - SpreadOffset) + SpreadOffset is { } slot && slot >= _bounds.From ? Exact(slot) : null;
    }

    /// <summary>Whether an instant is a slot that fires.</summary>
    public bool IsSlot(DateTimeOffset instant) => Next(instant.AddTicks(-1)) == instant;

    /// <summary>Whether an instant is a slot, also one that the calendar takes away.</summary>
    public bool IsExpected(DateTimeOffset instant) => NextExpected(instant.AddTicks(-1)) == instant;

    /// <summary>The slots that fire in (<paramref name="after"/>, <paramref name="upTo"/>], in order, as they are asked for.</summary>
    public IEnumerable<DateTimeOffset> Slots(DateTimeOffset after, DateTimeOffset upTo)
    {
        for (var slot = Next(after); slot is { } found && found <= upTo; slot = Next(found))
            yield return found;
    }

    /// <summary>The day a slot reports: by <c>previous</c> the last local day that had ended at the slot, by <c>current</c> the slot's own.</summary>
    /// <remarks>A day that the zone skipped is nobody's business date. A slot that <c>spread</c> moved keeps the date of its expression's time.</remarks>
    public DateOnly BusinessDate(DateTimeOffset slot, string mode)
    {
        if (SpreadOffset > TimeSpan.Zero && IsExpected(slot)) slot -= SpreadOffset;
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

/// <summary>What of a calendar keeps an expected slot from firing.</summary>
/// <param name="Reason"><see cref="Runs.SkipReason.Holiday"/> or <see cref="Runs.SkipReason.Blackout"/>.</param>
/// <param name="Name">Of the holiday, or the blackout's reason.</param>
public readonly record struct CalendarException(string Reason, string Name);
