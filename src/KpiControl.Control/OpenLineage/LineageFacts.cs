namespace KpiControl.Control.OpenLineage;

/// <summary>An event that was claimed, with what is known of its attempt.</summary>
internal sealed record LineageFacts
{
    public long EventId { get; init; }
    public int Tries { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public required string TenantId { get; init; }
    public required string EventType { get; init; }
    public Guid AttemptId { get; init; }
    public DateTimeOffset ScheduledFor { get; init; }
    public required string Environment { get; init; }
    public required string Region { get; init; }
    public required string JobId { get; init; }
    public required string ContentHash { get; init; }
    public required string ContractDigest { get; init; }
    public required string KpiId { get; init; }
    public required string ContractVersion { get; init; }
    /// <summary>Null: it had not ended when its start was seen; so are those below.</summary>
    public long? RunId { get; init; }
    public string? Status { get; init; }
    public DateTimeOffset? WindowStart { get; init; }
    public DateOnly? BusinessDate { get; init; }
    public string? TriggerKind { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? FinishedAt { get; init; }
    public DateTimeOffset? RecordedAt { get; init; }
    public string? Reason { get; init; }
    public string? ErrorCode { get; init; }
    public string? ErrorMessage { get; init; }
    public int? DataPoints { get; init; }
    public int? RetrySeq { get; init; }
    /// <summary>The evidence of the run, as JSON.</summary>
    public string? Document { get; init; }

    public bool IsStart => EventType == "START";
}
