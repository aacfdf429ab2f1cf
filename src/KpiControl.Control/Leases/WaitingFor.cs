namespace KpiControl.Control.Leases;

/// <summary>Why an open occurrence is not leased: stored in <c>kpi_job_runtime.occ_reason</c>. Numbers are for ever.</summary>
internal enum WaitingFor : short
{
    Dependency = 1,
    Retry = 2,
    /// <summary>No live agent in the region serves the tenant and has the connection.</summary>
    Agent = 3,
    /// <summary>Agents live, and none has a free slot.</summary>
    Credit = 4,
    /// <summary>Its agent's session ended; the next try has the next fence.</summary>
    LeaseLost = 5,
    /// <summary>Its agent gave it back unrun.</summary>
    Returned = 6,
}

/// <summary>Stored in <c>kpi_job_runtime.occ_kind</c> and <c>kpi_occurrence.kind</c>; the order is that of <c>kpi_kind_name</c>.</summary>
internal enum OccurrenceKind : short
{
    Schedule = 0,
    Event = 1,
    Manual = 2,
    Replay = 3,
    Backfill = 4,
    /// <summary>A business date once more, for the restated view.</summary>
    Restatement = 5,
}

internal static class Occurrences
{
    public static string Word(this OccurrenceKind kind) => kind switch
    {
        OccurrenceKind.Schedule => "schedule",
        OccurrenceKind.Event => "event",
        OccurrenceKind.Manual => "manual",
        OccurrenceKind.Replay => "replay",
        OccurrenceKind.Backfill => "backfill",
        _ => "restatement",
    };

    public static string Word(this WaitingFor reason) => reason switch
    {
        WaitingFor.Dependency => "dependency",
        WaitingFor.Retry => "retry",
        WaitingFor.Agent => "no_agent",
        WaitingFor.Credit => "no_credit",
        WaitingFor.LeaseLost => "lease_lost",
        _ => "returned",
    };

    /// <summary>The word for a stored <c>occ_reason</c>; empty where there is none.</summary>
    public static string ReasonWord(short? reason) => reason is { } stored ? ((WaitingFor)stored).Word() : "";
}
