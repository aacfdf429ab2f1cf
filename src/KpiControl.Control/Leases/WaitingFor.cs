using System.Globalization;

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
}

internal static class Occurrences
{
    public static string Word(this OccurrenceKind kind) => kind switch
    {
        OccurrenceKind.Schedule => "schedule",
        OccurrenceKind.Event => "event",
        OccurrenceKind.Manual => "manual",
        OccurrenceKind.Replay => "replay",
        _ => "backfill",
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

    /// <summary>
    /// Names an occurrence within its binding for ever. A slot that is caught up with keeps its name: it is the same
    /// slot, and a warehouse that saw it knows it again.
    /// </summary>
    public static string SlotKey(OccurrenceKind kind, DateTimeOffset scheduledFor) => string.Create(
        CultureInfo.InvariantCulture, $"{kind.Word()}:{scheduledFor.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'}");
}
