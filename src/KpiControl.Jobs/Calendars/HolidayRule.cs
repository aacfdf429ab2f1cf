namespace KpiControl.Jobs.Calendars;

/// <summary>Which days one entry of a calendar is about.</summary>
public abstract record HolidayRule(string Name)
{
    /// <summary>All of them, from 1969 to 2101.</summary>
    public abstract IEnumerable<DateOnly> Days();

    protected static IEnumerable<int> Years => Enumerable.Range(WorkCalendar.First.Year, WorkCalendar.Last.Year - WorkCalendar.First.Year + 1);
}

/// <summary>One day, or all from a first to a last.</summary>
public sealed record DatedHoliday(DateOnly From, DateOnly To, string Name) : HolidayRule(Name)
{
    public override IEnumerable<DateOnly> Days()
    {
        for (var day = From; day <= To; day = day.AddDays(1)) yield return day;
    }
}

/// <summary>The same day of every year; the 29th of February in those that have it.</summary>
public sealed record YearlyHoliday(int Month, int Day, string Name) : HolidayRule(Name)
{
    public override IEnumerable<DateOnly> Days() =>
        Years.Where(year => Day <= DateTime.DaysInMonth(year, Month)).Select(year => new DateOnly(year, Month, Day));
}

/// <summary>So many days after Easter Sunday, or before it.</summary>
public sealed record EasterHoliday(int Offset, string Name) : HolidayRule(Name)
{
    public override IEnumerable<DateOnly> Days() => Years.Select(year => Sunday(year).AddDays(Offset));

    /// <summary>Of the Gregorian calendar: the algorithm printed in Nature, 1876, vol. 13, p. 487, exact for every year.</summary>
    public static DateOnly Sunday(int year)
    {
        int a = year % 19, b = year / 100, c = year % 100;
        int moon = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
        int weekday = (32 + 2 * (b % 4) + 2 * (c / 4) - moon - c % 4) % 7;
        int late = (a + 11 * moon + 22 * weekday) / 451;
        int days = moon + weekday - 7 * late + 114;
        return new DateOnly(year, days / 31, days % 31 + 1);
    }
}

/// <summary>A weekday counted within a month of every year: the first Monday of May, the last of August.</summary>
/// <param name="Nth">1 to 4, or -1 for the last.</param>
public sealed record WeekdayHoliday(int Nth, DayOfWeek Weekday, int Month, string Name) : HolidayRule(Name)
{
    public override IEnumerable<DateOnly> Days() => Years.Select(year => Of(year, Month, Weekday, Nth));

    internal static DateOnly Of(int year, int month, DayOfWeek weekday, int nth)
    {
        if (nth < 0)
        {
            var last = new DateOnly(year, month, DateTime.DaysInMonth(year, month));
            return last.AddDays(-((last.DayOfWeek - weekday + 7) % 7));
        }
        var first = new DateOnly(year, month, 1);
        return first.AddDays((weekday - first.DayOfWeek + 7) % 7 + 7 * (nth - 1));
    }
}
