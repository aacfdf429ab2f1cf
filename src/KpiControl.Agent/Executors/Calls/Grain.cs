namespace KpiControl.Agent.Executors.Calls;

internal enum Grain { Day, Week, Month, Quarter, Year }

/// <summary>The calendar of periods: where one starts, which comes next, how it is written.</summary>
internal static class Periods
{
    private static readonly Dictionary<string, Grain> Grains = new()
    {
        ["day"] = Grain.Day, ["week"] = Grain.Week, ["month"] = Grain.Month, ["quarter"] = Grain.Quarter, ["year"] = Grain.Year,
    };

    public static Grain? GrainOf(string word) => Grains.TryGetValue(word, out var grain) ? grain : null;

    public static DateOnly StartOf(Grain grain, DateOnly day) => grain switch
    {
        Grain.Day => day,
        Grain.Week => day.AddDays(-(((int)day.DayOfWeek + 6) % 7)),
        Grain.Month => new DateOnly(day.Year, day.Month, 1),
        Grain.Quarter => new DateOnly(day.Year, (day.Month - 1) / 3 * 3 + 1, 1),
        _ => new DateOnly(day.Year, 1, 1),
    };

    public static DateOnly Add(Grain grain, DateOnly start, int periods) => grain switch
    {
        Grain.Day => start.AddDays(periods),
        Grain.Week => start.AddDays(7 * periods),
        Grain.Month => start.AddMonths(periods),
        Grain.Quarter => start.AddMonths(3 * periods),
        _ => start.AddYears(periods),
    };

    /// <summary>The first day after the last period that had ended by the end of a day.</summary>
    public static DateOnly EndedBy(Grain grain, DateOnly day) => StartOf(grain, day.AddDays(1));

    public static string Format(Grain grain, DateOnly start) => grain switch
    {
        Grain.Day => Invariant($"{start:yyyy-MM-dd}"),
        Grain.Week => Invariant($"{IsoYear(start):0000}-W{IsoWeek(start):00}"),
        Grain.Month => Invariant($"{start:yyyy-MM}"),
        Grain.Quarter => Invariant($"{start.Year:0000}-Q{(start.Month + 2) / 3}"),
        _ => Invariant($"{start:yyyy}"),
    };

    /// <summary>Null where the text is no period of that grain.</summary>
    public static DateOnly? Parse(Grain grain, string text)
    {
        var candidate = grain switch
        {
            Grain.Day => Date(text),
            Grain.Month => Date(text + "-01"),
            Grain.Year => Date(text + "-01-01"),
            Grain.Quarter when text.Length == 7 && text[6] is >= '1' and <= '4' => Date(Invariant($"{text[..4]}-{(text[6] - '1') * 3 + 1:00}-01")),
            Grain.Week when text.Length == 8 && Date(text[..4] + "-01-04") is { } inFirstWeek && int.TryParse(text[6..], out var week) =>
                StartOf(Grain.Week, inFirstWeek).AddDays(7 * (week - 1)),
            _ => null,
        };
        return candidate is { } start && Format(grain, start) == text ? start : null;
    }

    private static DateOnly? Date(string text) =>
        DateOnly.TryParseExact(text, "yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.None, out var day) ? day : null;

    private static int IsoYear(DateOnly day) => System.Globalization.ISOWeek.GetYear(day.ToDateTime(TimeOnly.MinValue));

    private static int IsoWeek(DateOnly day) => System.Globalization.ISOWeek.GetWeekOfYear(day.ToDateTime(TimeOnly.MinValue));

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
