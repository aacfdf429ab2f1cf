namespace KpiControl.Jobs.Calendars;

/// <summary>What a day is to a calendar.</summary>
public enum DayKind { Business, Weekend, Holiday }

/// <param name="Name">Of a holiday, or of the rule that makes it a business day after all; null where there is none.</param>
public readonly record struct CalendarDay(DateOnly Date, DayKind Kind, string? Name)
{
    public bool IsBusiness => Kind == DayKind.Business;
}

/// <summary>A stretch of time in which nothing starts.</summary>
/// <param name="From">A local time (<c>2026-12-31T18:00</c>, the schedule's zone) or an instant (<c>…Z</c>, <c>…+01:00</c>); included.</param>
/// <param name="To">The same; not included.</param>
public sealed record Blackout(string From, string To, string Reason);

/// <summary>
/// Which days are business days, where fiscal periods end and when nothing may start: dates without a zone, which
/// become instants in the zone of whatever schedule uses them.
/// </summary>
/// <remarks>From 1970 to 2100, as schedules. Safe for use by many threads.</remarks>
public sealed class WorkCalendar
{
    internal static readonly DateOnly First = new(1969, 1, 1), Last = new(2101, 12, 31);

    private const int LongestNames = 200;

    // A bit a day: six kilobytes for all of time, and no date is worked out twice.
    private readonly System.Collections.BitArray _business = new(Last.DayNumber - First.DayNumber + 1);
    private readonly Dictionary<DateOnly, string> _holidays = [];
    private readonly Dictionary<DateOnly, string> _workingDays = [];
    private readonly Lazy<IReadOnlyList<FiscalPeriod>> _periods;

    public WorkCalendar(string name, IReadOnlyList<DayOfWeek> weekend, IReadOnlyList<HolidayRule> holidays, IReadOnlyList<HolidayRule> workingDays,
        FiscalYear? fiscal, IReadOnlyList<Blackout> blackouts)
    {
        (Name, Weekend, Fiscal, Blackouts) = (name, weekend, fiscal, blackouts);
        foreach (var rule in holidays)
            foreach (var day in rule.Days().Where(InRange))
                _holidays[day] = _holidays.TryGetValue(day, out var other) && other != rule.Name ? Both(other, rule.Name) : rule.Name;
        foreach (var rule in workingDays)
            foreach (var day in rule.Days().Where(InRange))
                _workingDays[day] = rule.Name;
        for (var day = First; day <= Last; day = day.AddDays(1))
            _business[day.DayNumber - First.DayNumber] = _workingDays.ContainsKey(day) || (!weekend.Contains(day.DayOfWeek) && !_holidays.ContainsKey(day));
        _periods = new Lazy<IReadOnlyList<FiscalPeriod>>(() => fiscal is null ? [] : [.. fiscal.Periods(this)]);
    }

    /// <summary>Monday to Friday, and nothing else: what stands in where a calendar is named and not at hand, to look at an expression by itself.</summary>
    public static WorkCalendar Weekdays { get; } = new("weekdays", [DayOfWeek.Saturday, DayOfWeek.Sunday], [], [], FiscalYear.OfMonths(1, 0), []);

    public string Name { get; }
    public string? Description { get; init; }
    public IReadOnlyList<DayOfWeek> Weekend { get; }
    public FiscalYear? Fiscal { get; }
    public IReadOnlyList<Blackout> Blackouts { get; }

    /// <summary>All fiscal periods in order; none where the calendar says nothing of them.</summary>
    public IReadOnlyList<FiscalPeriod> Periods => _periods.Value;

    public bool IsBusinessDay(DateOnly day) => InRange(day) && _business[day.DayNumber - First.DayNumber];

    public CalendarDay Of(DateOnly day)
    {
        if (_workingDays.TryGetValue(day, out var why)) return new CalendarDay(day, DayKind.Business, why);
        // The week's rhythm comes first: a holiday on a Sunday takes nothing away.
        if (Weekend.Contains(day.DayOfWeek)) return new CalendarDay(day, DayKind.Weekend, _holidays.GetValueOrDefault(day));
        return _holidays.TryGetValue(day, out var name) ? new CalendarDay(day, DayKind.Holiday, name) : new CalendarDay(day, DayKind.Business, null);
    }

    /// <summary>The business day so many after a day that need not be one, or, negative, before it; null where the calendar ends first.</summary>
    public DateOnly? BusinessDaysFrom(DateOnly day, int count)
    {
        var step = count < 0 ? -1 : 1;
        for (var left = Math.Abs(count); left > 0;)
        {
            day = day.AddDays(step);
            if (!InRange(day)) return null;
            if (IsBusinessDay(day)) left--;
        }
        return day;
    }

    // Thousands of entries may name one day: what is kept of them is for people, and short.
    private static string Both(string names, string another) => names.EndsWith('…') ? names
        : names.Length + another.Length <= LongestNames ? $"{names}, {another}" : $"{(names.Length <= LongestNames ? names : names[..LongestNames])}, …";

    private static bool InRange(DateOnly day) => day >= First && day <= Last;
}
