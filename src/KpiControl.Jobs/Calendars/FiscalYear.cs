namespace KpiControl.Jobs.Calendars;

/// <summary>One period of a fiscal year.</summary>
/// <param name="Year">The calendar year in which the fiscal year ends.</param>
/// <param name="Number">From 1 to 12.</param>
/// <param name="Close">The last day that counts to it: its last, or the business day that the calendar's <c>close</c> names.</param>
public readonly record struct FiscalPeriod(int Year, int Number, DateOnly First, DateOnly Last, DateOnly Close)
{
    public int Quarter => (Number + 2) / 3;
}

/// <summary>How fiscal years are divided: by months, or by weeks in the retail manner.</summary>
/// <remarks>Of a year of 53 weeks the last period has the week more.</remarks>
public sealed record FiscalYear
{
    public const string Months = "month";
    public static readonly IReadOnlyList<string> Patterns = ["4-4-5", "4-5-4", "5-4-4", Months];

    private FiscalYear() { }

    public required string Pattern { get; init; }
    /// <summary>Of months: the first of the year.</summary>
    public int StartMonth { get; private init; } = 1;
    /// <summary>Of months: by how many business days the close lies after the month's end, or, negative, before its last business day.</summary>
    public int Close { get; private init; }
    /// <summary>Of weeks: the weekday on which the year ends.</summary>
    public DayOfWeek Weekday { get; private init; }
    /// <summary>Of weeks: the month by which the year ends.</summary>
    public int EndMonth { get; private init; }
    /// <summary>Of weeks: <c>last</c> (the month's last such weekday) or <c>nearest</c> (to the month's last day, before or after).</summary>
    public string Rule { get; private init; } = "last";

    public static FiscalYear OfMonths(int startMonth, int close) => new() { Pattern = Months, StartMonth = startMonth, Close = close };

    public static FiscalYear OfWeeks(string pattern, string rule, DayOfWeek weekday, int endMonth) =>
        new() { Pattern = pattern, Rule = rule, Weekday = weekday, EndMonth = endMonth };

    internal IEnumerable<FiscalPeriod> Periods(WorkCalendar calendar)
    {
        for (var year = WorkCalendar.First.Year + 1; year < WorkCalendar.Last.Year; year++)
            foreach (var period in Pattern == Months ? MonthsOf(year, calendar) : WeeksOf(year))
                yield return period;
    }

    private IEnumerable<FiscalPeriod> MonthsOf(int year, WorkCalendar calendar)
    {
        // A year that begins in January ends in the same one; any other in the one after.
        var start = new DateOnly(StartMonth == 1 ? year : year - 1, StartMonth, 1);
        for (var number = 1; number <= 12; number++)
        {
            var first = start.AddMonths(number - 1);
            var last = first.AddMonths(1).AddDays(-1);
            // Before: counted back from the month's last business day, so that -2 is "L-2"; L itself lies one before the next month.
            var close = Close == 0 ? last : Close > 0 ? calendar.BusinessDaysFrom(last, Close) : calendar.BusinessDaysFrom(last.AddDays(1), Close - 1);
            yield return new FiscalPeriod(year, number, first, last, close ?? last);
        }
    }

    private IEnumerable<FiscalPeriod> WeeksOf(int year)
    {
        var (first, end) = (EndOf(year - 1).AddDays(1), EndOf(year));
        for (var number = 1; number <= 12; number++)
        {
            var weeks = Pattern[2 * ((number - 1) % 3)] - '0';
            var last = number == 12 ? end : first.AddDays(7 * weeks - 1);
            yield return new FiscalPeriod(year, number, first, last, last);
            first = last.AddDays(1);
        }
    }

    /// <summary>Of weeks: the last day of a fiscal year.</summary>
    public DateOnly EndOf(int year)
    {
        var last = WeekdayHoliday.Of(year, EndMonth, Weekday, -1);
        var monthEnd = new DateOnly(year, EndMonth, DateTime.DaysInMonth(year, EndMonth));
        return Rule == "nearest" && monthEnd.DayNumber - last.DayNumber > 3 ? last.AddDays(7) : last;
    }
}
