using System.Globalization;
using System.Text.RegularExpressions;
using KpiControl.Jobs.Calendars;

namespace KpiControl.Jobs.Schedules;

/// <summary>
/// What cron cannot say: <c>@business_day L-2 of month at 18:00</c>, <c>@business_day 3 after fiscal_period at 09:00</c>.
/// One day of each period, counted in the business days of the schedule's calendar, at one or several times of that day.
/// </summary>
internal sealed partial record BusinessDayExpression
{
    private const string Macro = "@business_day";
    private const int MostTimes = 24, LongestExpression = 256;

    /// <summary>How the expression is written, for whoever wrote another.</summary>
    public const string Form = "@business_day N, L or L-N of, or N after, month, quarter, year, fiscal_period, fiscal_quarter or fiscal_year at HH:MM, as in @business_day 3 after fiscal_period at 09:00";

    private BusinessDayExpression() { }

    /// <summary>From 1, or, of the last, 0 and down.</summary>
    private int Number { get; init; }
    private bool FromEnd { get; init; }
    private bool After { get; init; }
    private string Period { get; init; } = "";
    private IReadOnlyList<TimeOnly> Times { get; init; } = [];

    public static bool IsMeant(string text) => text.AsSpan().TrimStart().StartsWith(Macro, StringComparison.OrdinalIgnoreCase);

    public bool NeedsFiscalYear => Period.StartsWith("fiscal_", StringComparison.Ordinal);

    public static BusinessDayExpression? Parse(string text, out string? error)
    {
        var read = text.Length > LongestExpression ? Match.Empty : Shape().Match(text);
        var times = read.Success ? read.Groups["at"].Value.Split(',', StringSplitOptions.TrimEntries).Select(Time).ToList() : [];
        error = !read.Success ? $"'{text}' is not a business-day expression: {Form}"
            : times.Count > MostTimes ? $"'{text}' has {times.Count} times of day, at most {MostTimes} are taken"
            : times.Contains(null) ? $"'{text}' has a time of day that is none: 09:00, or 09:00:30"
            : null;
        var isLast = read.Groups["last"].Success;
        var number = isLast ? (read.Groups["back"].Success ? Whole(read.Groups["back"]) : 0) : Whole(read.Groups["n"]);
        var after = read.Groups["after"].Success;
        if (error is null && isLast && after)
            error = $"'{text}' counts the last day after a period: L goes with of";
        if (error is null && number > 300 || error is null && !isLast && number < 1)
            error = $"'{text}' counts from 1 to 300 business days";
        return error is not null ? null : new BusinessDayExpression
        {
            Number = number, FromEnd = isLast, After = after, Period = read.Groups["period"].Value.ToLowerInvariant(), Times = [.. times.OfType<TimeOnly>().Order()],
        };
    }

    /// <summary>Every slot, in order, in the zone of a clock.</summary>
    public FixedSlots Slots(WorkCalendar calendar, ZoneClock clock) => new(
        from period in Periods(calendar)
        let day = DayOf(period.First, period.Last, calendar)
        where day is not null
        from time in Times
        select clock.InstantOf(day.Value.ToDateTime(time, DateTimeKind.Utc)));

    // A day beyond the period, such as the 25th business day of a month, is no day: that period has no slot.
    private DateOnly? DayOf(DateOnly first, DateOnly last, WorkCalendar calendar)
    {
        if (After) return calendar.BusinessDaysFrom(last, Number);
        var day = FromEnd ? calendar.BusinessDaysFrom(last.AddDays(1), -(Number + 1)) : calendar.BusinessDaysFrom(first.AddDays(-1), Number);
        return day >= first && day <= last ? day : null;
    }

    private IEnumerable<(DateOnly First, DateOnly Last)> Periods(WorkCalendar calendar) => Period switch
    {
        "month" => Months(1),
        "quarter" => Months(3),
        "year" => Months(12),
        "fiscal_period" => Closes(calendar.Periods),
        "fiscal_quarter" => Closes(calendar.Periods.GroupBy(p => (p.Year, p.Quarter)).Select(q => q.First() with { Close = q.Last().Close })),
        _ => Closes(calendar.Periods.GroupBy(p => p.Year).Select(y => y.First() with { Close = y.Last().Close })),
    };

    private static IEnumerable<(DateOnly, DateOnly)> Closes(IEnumerable<FiscalPeriod> periods) => periods.Select(p => (p.First, p.Close));

    private static IEnumerable<(DateOnly, DateOnly)> Months(int length)
    {
        for (var first = new DateOnly(1970, 1, 1); first < WorkCalendar.Last.AddYears(-1); first = first.AddMonths(length))
            yield return (first, first.AddMonths(length).AddDays(-1));
    }

    private static int Whole(Group digits) => int.TryParse(digits.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private static TimeOnly? Time(string text) =>
        TimeOnly.TryParseExact(text, ["HH:mm", "HH:mm:ss"], CultureInfo.InvariantCulture, DateTimeStyles.None, out var time) ? time : null;

    [GeneratedRegex(@"^\s*@business_day\s+(?:(?<n>\d{1,3})|(?<last>L)(?:-(?<back>\d{1,3}))?)\s+(?:of|(?<after>after))\s+(?<period>month|quarter|year|fiscal_period|fiscal_quarter|fiscal_year)\s+at\s+(?<at>[0-9:,\s]{1,300}?)\s*\z",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Shape();
}
