using System.Globalization;
using System.Text.RegularExpressions;

namespace KpiControl.Jobs.Calls;

/// <summary>
/// A figure derived from a series by date: a comparison with the calendar predecessor (<c>MoM</c>, …), or the mean of the
/// last periods (<c>rolling_3m</c>).
/// </summary>
public sealed partial record TimeExtension
{
    private static readonly Dictionary<string, string[]> Comparisons = new()
    {
        ["day"] = ["DoD", "WoW", "MoM", "QoQ", "YoY"],
        ["week"] = ["WoW"],
        ["month"] = ["MoM", "QoQ", "YoY"],
        ["quarter"] = ["QoQ", "YoY"],
        ["year"] = ["YoY"],
    };

    // 0: a comparison.
    private readonly int _periods;

    private TimeExtension(string name, string grain, int periods) => (Name, Grain, _periods) = (name, grain, periods);

    public string Name { get; }

    public string Grain { get; }

    /// <summary>Null where the grain has no such extension.</summary>
    public static TimeExtension? Of(string name, string grain)
    {
        if (Comparisons.GetValueOrDefault(grain)?.Contains(name) == true) return new TimeExtension(name, grain, 0);
        return Rolling().Match(name) is { Success: true } match && match.Groups["unit"].Value[0] == grain[0]
            ? new TimeExtension(name, grain, int.Parse(match.Groups["n"].Value, CultureInfo.InvariantCulture)) : null;
    }

    /// <summary>What the grain has, for a message.</summary>
    public static string Known(string grain) =>
        string.Join(", ", Comparisons.GetValueOrDefault(grain) ?? []) + (grain.Length > 0 ? $", rolling_2{grain[0]} to rolling_99{grain[0]}" : "");

    /// <summary>The first period that a window which begins at <paramref name="from"/> needs.</summary>
    public DateOnly EarliestNeeded(DateOnly from) => _periods > 0 ? Periods.Add(Grain, from, 1 - _periods) : Shift(from);

    /// <summary>
    /// Comparison: value / predecessor − 1, null where the predecessor is absent, null or zero. Rolling: the mean of this and
    /// the periods before, null where one of them is absent or null.
    /// </summary>
    /// <param name="valueAt">The series, by a period's first day.</param>
    public double? Compute(DateOnly period, Func<DateOnly, double?> valueAt)
    {
        var computed = _periods > 0 ? Mean(period, valueAt) : Change(period, valueAt);
        return computed is { } number && double.IsFinite(number) ? computed : null;
    }

    private double? Mean(DateOnly period, Func<DateOnly, double?> valueAt)
    {
        var sum = 0.0;
        for (var back = 1 - _periods; back <= 0; back++)
        {
            if (valueAt(Periods.Add(Grain, period, back)) is not { } value) return null;
            sum += value;
        }
        return sum / _periods;
    }

    private double? Change(DateOnly period, Func<DateOnly, double?> valueAt) =>
        valueAt(period) is { } value && Predecessor(period) is { } before && valueAt(before) is { } was and not 0 ? value / was - 1 : null;

    // By date; null where the calendar has no such day (a month before 31 March).
    private DateOnly? Predecessor(DateOnly start)
    {
        var shifted = Shift(start);
        return shifted.Day == start.Day || Name is "DoD" or "WoW" ? shifted : null;
    }

    private DateOnly Shift(DateOnly start) => Name switch
    {
        "DoD" => Periods.Add("day", start, -1),
        "WoW" => Periods.Add("day", start, -7),
        "MoM" => Periods.Add("month", start, -1),
        "QoQ" => Periods.Add("month", start, -3),
        _ => Periods.Add("year", start, -1),
    };

    [GeneratedRegex(@"^rolling_(?<n>[2-9]|[1-9][0-9])(?<unit>[dwmqy])\z", RegexOptions.CultureInvariant)]
    private static partial Regex Rolling();
}
