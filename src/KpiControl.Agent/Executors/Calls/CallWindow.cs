using KpiControl.Jobs.Calls;

namespace KpiControl.Agent.Executors.Calls;

/// <summary>The periods that a call asks for: from one first day up to another that is no longer part of it.</summary>
/// <param name="From">Null: no beginning.</param>
internal sealed record CallWindow(string Grain, DateOnly? From, DateOnly To)
{
    // An open beginning, for engines: every date of theirs that matters lies after it.
    private static readonly DateOnly Earliest = new(1000, 1, 1);

    public DateOnly FromOrEarliest => From is { } from && from > Earliest ? from : Earliest;

    public bool Contains(DateOnly start) => start < To && (From is null || start >= From);

    /// <summary>Begins earlier, so that a predecessor outside of the window can be found.</summary>
    public CallWindow WidenedBy(IEnumerable<TimeExtension> extensions) =>
        From is { } from ? this with { From = extensions.Select(one => one.EarliestNeeded(from)).Append(from).Min() } : this;

    /// <summary>The window of a call, or what is wrong with its <c>time</c>.</summary>
    public static (CallWindow? Window, string Problem) Of(CallTime? time, string grain, DateOnly businessDate)
    {
        var end = Periods.StartOf(grain, businessDate.AddDays(1));
        if (time?.Grain is { } asked && asked != grain)
            return (null, $"time.grain is {asked}, and the contract's is {grain}");
        if (time?.Calendar is not (null or "gregorian"))
            return (null, $"time.calendar {time.Calendar} is not executed here: leave it out, or write gregorian");
        return time?.Range switch
        {
            null => (new CallWindow(grain, null, end), ""),
            { Type: "relative", LastN: > 0 and <= 100_000, From: null, To: null } range => (new CallWindow(grain, Periods.Add(grain, end, -range.LastN.Value), end), ""),
            { Type: "absolute", LastN: null } range => Absolute(range, grain, end),
            _ => (null, "time.range is neither { type: relative, last_n: 1 or more } nor { type: absolute, from, to }"),
        };
    }

    private static (CallWindow?, string) Absolute(CallRange range, string grain, DateOnly end)
    {
        var from = range.From is null ? null : Periods.Parse(grain, range.From);
        var to = range.To is null ? null : Periods.Parse(grain, range.To);
        if ((range.From is not null && from is null) || (range.To is not null && to is null))
            return (null, $"time.range.from and .to must be periods of grain {grain}, such as {Periods.Format(grain, end)}");
        return (new CallWindow(grain, from, to is { } last ? Periods.Add(grain, last, 1) : end), "");
    }
}
