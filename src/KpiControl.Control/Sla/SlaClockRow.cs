using KpiControl.Control.Leases;
using KpiControl.Jobs.Sla;

namespace KpiControl.Control.Sla;

/// <summary>A clock that is to be looked at, with what its binding's runtime row says.</summary>
internal sealed record SlaClockRow
{
    public long BindingId { get; init; }
    public required string Clock { get; init; }
    public required string State { get; init; }
    public DateTimeOffset? DueAt { get; init; }
    public DateTimeOffset ArmedAt { get; init; }
    /// <summary>Created, or what it watches was changed: it is set anew.</summary>
    public bool Replan { get; init; }
    public DateTimeOffset? WarnAt { get; init; }
    public DateTimeOffset? BreachAt { get; init; }
    public DateTimeOffset? Needs { get; init; }
    public TimeSpan? Target { get; init; }
    public TimeSpan? Grace { get; init; }
    /// <summary>Of freshness: what of the calendar's business days counts; null: all time does.</summary>
    public string? BusinessHours { get; init; }
    public bool Active { get; init; }
    public int Revision { get; init; }
    public DateTimeOffset? GoodThrough { get; init; }
    /// <summary>What was good at the instant that is due, where runs ended since.</summary>
    public DateTimeOffset? GoodThen { get; init; }
    /// <summary>When the first result was recorded that made it good again; null where history says of none.</summary>
    public DateTimeOffset? RecoveredAt { get; init; }
    public DateTimeOffset Now { get; init; }

    public PlanKey Plan => new(BindingId, Revision);

    public bool IsOpen => State is "warn" or "breach";

    public SlaPromise? Promise => WarnAt is { } warn ? new SlaPromise(warn, BreachAt!.Value, Needs!.Value) : null;
}

/// <summary>What becomes of a clock: written where it still stands as it was seen, with what that means for its episode.</summary>
internal sealed record SlaChange
{
    public required SlaClockRow Seen { get; init; }
    public required string State { get; init; }
    public SlaPromise? Promise { get; init; }
    public DateTimeOffset? DueAt { get; init; }
    public TimeSpan? Target { get; init; }
    public TimeSpan? Grace { get; init; }
    public string? BusinessHours { get; init; }
    public bool Replan { get; init; }
    /// <summary>An episode opens, at this instant.</summary>
    public DateTimeOffset? OpenedAt { get; init; }
    /// <summary>It is, or becomes, a breach.</summary>
    public DateTimeOffset? BreachedAt { get; init; }
    public DateTimeOffset? ResolvedAt { get; init; }
    /// <summary><c>recovered</c>, <c>changed</c> or <c>retired</c>.</summary>
    public string? Resolution { get; init; }
    public long? RunId { get; init; }

    /// <summary>The clock as it stands.</summary>
    public static SlaChange Of(SlaClockRow seen) => new()
    {
        Seen = seen, State = seen.State, Promise = seen.Promise, DueAt = seen.DueAt, Target = seen.Target, Grace = seen.Grace, BusinessHours = seen.BusinessHours,
    };
}
