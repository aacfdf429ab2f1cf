using System.Globalization;

namespace KpiControl.Jobs.Calls;

/// <summary>Periods of a grain (<c>day, week, month, quarter, year</c>), each known by its first day. Weeks are ISO weeks.</summary>
public static class Periods
{
    /// <summary>First day of the period that a date lies in.</summary>
    public static DateOnly StartOf(string grain, DateOnly date) => grain switch
    {
        "day" => date,
        "week" => date.AddDays(-(((int)date.DayOfWeek + 6) % 7)),
        "month" => new DateOnly(date.Year, date.Month, 1),
        "quarter" => new DateOnly(date.Year, (date.Month - 1) / 3 * 3 + 1, 1),
        "year" => new DateOnly(date.Year, 1, 1),
        _ => throw new ArgumentOutOfRangeException(nameof(grain), grain, "day, week, month, quarter or year"),
    };

    /// <summary>First day of the period that lies a number of periods after, or, negative, before; not before the calendar's first day.</summary>
    public static DateOnly Add(string grain, DateOnly start, int periods) => grain switch
    {
        "day" => AddDays(start, periods),
        "week" => AddDays(start, 7 * periods),
        "month" => AddMonths(start, periods),
        "quarter" => AddMonths(start, 3 * periods),
        _ => AddMonths(start, 12 * periods),
    };

    private static DateOnly AddDays(DateOnly start, int days) => start.DayNumber + days < 0 ? DateOnly.MinValue : start.AddDays(days);

    private static DateOnly AddMonths(DateOnly start, int months) =>
        (start.Year - 1) * 12 + start.Month - 1 + months < 0 ? DateOnly.MinValue : start.AddMonths(months);

    /// <summary>First day of the last period that had ended by the end of a date.</summary>
    public static DateOnly LastEnded(string grain, DateOnly date) => Add(grain, StartOf(grain, date.AddDays(1)), -1);

    /// <summary><c>2001-01-01</c>, <c>2001-W02</c>, <c>2006-01</c>, <c>2006-Q1</c>, <c>2001</c>.</summary>
    public static string Format(string grain, DateOnly start) => grain switch
    {
        "week" => string.Create(CultureInfo.InvariantCulture, $"{ISOWeek.GetYear(start):0000}-W{ISOWeek.GetWeekOfYear(start):00}"),
        "month" => start.ToString("yyyy-MM", CultureInfo.InvariantCulture),
        "quarter" => string.Create(CultureInfo.InvariantCulture, $"{start.Year:0000}-Q{(start.Month + 2) / 3}"),
        "year" => start.ToString("yyyy", CultureInfo.InvariantCulture),
        _ => start.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
    };

    /// <summary>First day of the period that a text names in its grain's spelling; null where it names none.</summary>
    public static DateOnly? Parse(string grain, string text)
    {
        var candidate = grain switch
        {
            "month" => Date(text + "-01"),
            "year" => Date(text + "-01-01"),
            "quarter" when text.Length == 7 && text[6] is >= '1' and <= '4' => Date(string.Create(CultureInfo.InvariantCulture, $"{text[..4]}-{(text[6] - '1') * 3 + 1:00}-01")),
            "week" when text.Length == 8 && Date(text[..4] + "-01-04") is { } inFirstWeek && int.TryParse(text[6..], out var week) =>
                StartOf("week", inFirstWeek).AddDays(7 * (week - 1)),
            "day" => Date(text),
            _ => null,
        };
        return candidate is { } start && Format(grain, start) == text ? start : null;
    }

    private static DateOnly? Date(string text) =>
        DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day) ? day : null;
}
