namespace KpiControl.Jobs.Sla;

/// <summary>How a promise stands: within its target, within its grace, or beyond it. In order: a greater one is worse.</summary>
public enum SlaState { Pass, Warn, Breach }

/// <summary>The clocks of an artifact's <c>sla</c>, and the states, in the words that are stored and returned.</summary>
public static class SlaWords
{
    public const string Freshness = "freshness";
    public const string Latency = "latency";
    public const string Availability = "availability";

    public static string Word(this SlaState state) => state switch
    {
        SlaState.Pass => "pass",
        SlaState.Warn => "warn",
        _ => "breach",
    };

    /// <summary>Anything else than <c>warn</c> and <c>breach</c> is a clock that has nothing to complain of.</summary>
    public static SlaState State(string word) => word switch
    {
        "warn" => SlaState.Warn,
        "breach" => SlaState.Breach,
        _ => SlaState.Pass,
    };
}
