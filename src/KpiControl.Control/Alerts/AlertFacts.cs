namespace KpiControl.Control.Alerts;

/// <summary>A message that was claimed, with what is known of what it tells.</summary>
internal sealed record AlertFacts
{
    public long MessageId { get; init; }
    public long GroupId { get; init; }
    public int Tries { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public required string JobId { get; init; }
    public long BindingId { get; init; }
    public required string KpiId { get; init; }
    public required string ContractVersion { get; init; }
    public required string Event { get; init; }
    public required string ChannelType { get; init; }
    public required string ChannelValue { get; init; }
    public required string Severity { get; init; }
    public DateTimeOffset OccurredAt { get; init; }
    public DateTimeOffset? HeldSince { get; init; }
    public long? EpisodeId { get; init; }
    public string? Clock { get; init; }
    /// <summary>Of a drift: what it is, in words.</summary>
    public string? Detail { get; init; }
    public DateTimeOffset? OpenedAt { get; init; }
    public DateTimeOffset? BreachedAt { get; init; }
    public DateTimeOffset? Needs { get; init; }
    public int RunCount { get; init; }
    public long? RunId { get; init; }
    public string? Status { get; init; }
    public string? Reason { get; init; }
    public string? ErrorCode { get; init; }
    public string? ErrorMessage { get; init; }
    public DateTimeOffset? ScheduledFor { get; init; }
    public DateOnly? BusinessDate { get; init; }
    public required string DefinitionHash { get; init; }
    public required string ContractDigest { get; init; }
    public string? Build { get; init; }
    public long? LastRunId { get; init; }
    public DateTimeOffset? LastRecordedAt { get; init; }
    public string? LastDefinitionHash { get; init; }
    public string? LastContractDigest { get; init; }
    public string? LastBuild { get; init; }

    public string Job => $"{TenantId}/{Environment}/{JobId}";

    /// <summary>The same for every message of an episode: what a channel tells incidents apart by.</summary>
    public string IncidentKey => EpisodeId is { } episode
        ? FormattableString.Invariant($"kpicontrol-{TenantId}-{BindingId}-episode-{episode}")
        : FormattableString.Invariant($"kpicontrol-{TenantId}-{BindingId}-message-{MessageId}");

    /// <summary>The message's own, the same at each try.</summary>
    public string MessageKey => FormattableString.Invariant($"kpicontrol-{MessageId}-{CreatedAt.ToUnixTimeMilliseconds()}");

    public bool IsRecovery => Event == "recovered";
}
