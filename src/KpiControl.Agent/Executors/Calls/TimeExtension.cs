namespace KpiControl.Agent.Executors.Calls;

/// <summary>A value against its calendar predecessor: <c>value / predecessor - 1</c>.</summary>
/// <param name="Name"><c>DoD, WoW, MoM, QoQ</c> or <c>YoY</c>.</param>
internal sealed record TimeExtension(string Name, Grain Grain)
{
    private static readonly Dictionary<Grain, string[]> Known = new()
    {
        [Grain.Day] = ["DoD", "WoW", "MoM", "QoQ", "YoY"],
        [Grain.Week] = ["WoW"],
        [Grain.Month] = ["MoM", "QoQ", "YoY"],
        [Grain.Quarter] = ["QoQ", "YoY"],
        [Grain.Year] = ["YoY"],
    };

    /// <summary>Null where the grain has no such extension.</summary>
    public static TimeExtension? Of(string name, Grain grain) => Known[grain].Contains(name) ? new TimeExtension(name, grain) : null;

    /// <summary>By date; null where the calendar has no such day (a month before 31 March).</summary>
    public DateOnly? Predecessor(DateOnly start)
    {
        var shifted = Shift(start);
        return shifted.Day == start.Day || Name is "DoD" or "WoW" ? shifted : null;
    }

    /// <summary>The first period that a window which begins at <paramref name="from"/> needs.</summary>
    public DateOnly EarliestNeeded(DateOnly from) => Shift(from);

    private DateOnly Shift(DateOnly start) => Name switch
    {
        "DoD" => start.AddDays(-1),
        "WoW" => start.AddDays(-7),
        "MoM" => start.AddMonths(-1),
        "QoQ" => start.AddMonths(-3),
        _ => start.AddYears(-1),
    };
}
