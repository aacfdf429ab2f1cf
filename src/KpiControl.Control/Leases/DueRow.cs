namespace KpiControl.Control.Leases;

/// <summary>A slot that is due, or will be next.</summary>
/// <param name="IsBusy">An occurrence of the binding is open in its row.</param>
/// <param name="HasAside">Some stand aside.</param>
internal readonly record struct DueRow(long BindingId, DateTimeOffset Slot, int Revision, string Tenant, bool IsBusy, bool HasAside = false);

/// <summary>What a scan saw, at the database's instant <paramref name="Now"/>.</summary>
internal sealed record DueScan(DateTimeOffset Now, IReadOnlyList<DueRow> Rows);

/// <summary>An open occurrence that may be granted, as it was seen.</summary>
internal sealed record ReadyRow
{
    public required long BindingId { get; init; }
    public required long Ticket { get; init; }
    public required char State { get; init; }
    public required DateTimeOffset ReadyAt { get; init; }
    public required DateTimeOffset ScheduledFor { get; init; }
    public required DateTimeOffset? WindowStart { get; init; }
    public required DateOnly BusinessDate { get; init; }
    public required OccurrenceKind Kind { get; init; }
    public required int Revision { get; init; }
    /// <summary>The revision that it runs by: the one in force, except for a replay by its run's own.</summary>
    public required int RunsUnder { get; init; }
    /// <summary>The revision that the lost attempt ran by.</summary>
    public int? RanUnder { get; init; }
    public required int RetryCount { get; init; }
    public required long FenceSeen { get; init; }
    /// <summary>The attempt whose lease was lost, if that is why it is ready.</summary>
    public required Guid? LostAttempt { get; init; }
    /// <summary>How the lease of the last attempt that had one came back.</summary>
    public WaitingFor? LostBecause { get; init; }
    public required string Tenant { get; init; }
}

/// <summary>The list of ready occurrences at the database's instant <paramref name="Now"/>.</summary>
internal sealed record ReadyScan(DateTimeOffset Now, IReadOnlyList<ReadyRow> Rows);

/// <summary>Where a lease goes: the session as its stream now stands.</summary>
internal readonly record struct SessionRef(long SessionId, int Generation);
