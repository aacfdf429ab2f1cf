namespace KpiControl.Control.Drift;

/// <summary>A store as stored.</summary>
internal sealed record StoreRow
{
    public required string Store { get; init; }
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public required string Kind { get; init; }
    public required string Location { get; init; }
    public string? Branch { get; init; }
    public required string[] Paths { get; init; }
    public bool Configured { get; init; }
    public bool WritesApplied { get; init; }
    public string? NewJobs { get; init; }
    public bool Signed { get; init; }
    public string? Version { get; init; }
    public DateTimeOffset? ReadAt { get; init; }
    public int Artifacts { get; init; }
    public int ContentsRead { get; init; }
    public DateTimeOffset? FailingSince { get; init; }
    public int Failures { get; init; }
    public string? Failure { get; init; }
    public DateTimeOffset NextPassAt { get; init; }
    public DateTimeOffset? AskedAt { get; init; }
    public DateTimeOffset? PassStartedAt { get; init; }
    public DateTimeOffset? PassEndedAt { get; init; }
    public DateTimeOffset? RewrittenAt { get; init; }
    public string? RewrittenFrom { get; init; }
    public string? RewrittenTo { get; init; }

    public string State => !Configured ? "unconfigured" : FailingSince is not null ? "failing" : ReadAt is null ? "unread" : "ok";
}

/// <summary>A job beside the artifact that it follows, or an artifact that no job follows.</summary>
internal sealed record DriftRow
{
    public required string Store { get; init; }
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public required string State { get; init; }
    public string? JobId { get; init; }
    /// <summary>Null: no job follows the artifact.</summary>
    public long? BindingId { get; init; }
    public int Revision { get; init; }
    public bool IsUnreleased { get; init; }
    /// <summary>Pruned, or removed by a change.</summary>
    public bool IsTakenAway { get; init; }
    public bool IsPaused { get; init; }
    /// <summary>The kinds of those that stand; null: none.</summary>
    public string? Overrides { get; init; }
    public string? BoundHash { get; init; }
    /// <summary>Taken over what is stored of the definition, now.</summary>
    public string? DefinitionHash { get; init; }
    public DateTimeOffset? BoundAt { get; init; }
    public string? Path { get; init; }
    public string? StoreVersion { get; init; }
    public string? StoreHash { get; init; }
    public string? StoreRawSha256 { get; init; }
    public string? StoreCommit { get; init; }
    public string? Problem { get; init; }
    public DateTimeOffset? ChangedAt { get; init; }
    /// <summary>All of the store's artifacts that are this job, where there are several.</summary>
    public string? Copies { get; init; }
    public string? RefPath { get; init; }
    public string? RefCommit { get; init; }
    public string? RefRawSha256 { get; init; }
    public string? RefHash { get; init; }
    public DateTimeOffset? AgreedAt { get; init; }
    public bool Configured { get; init; }
    public DateTimeOffset? ReadAt { get; init; }
    public DateTimeOffset? FailingSince { get; init; }
    public string? Failure { get; init; }
    /// <summary>Since when what is bound is to be written to the store; null: it is not.</summary>
    public DateTimeOffset? WriteSince { get; init; }
    public string? WriteProblem { get; init; }
}

/// <summary>What the store holds, what is bound, and what ran last.</summary>
internal sealed record LadderRow
{
    public required string BoundJson { get; init; }
    public string? StoreContent { get; init; }
    public string? StoreFormat { get; init; }
    public long? RunId { get; init; }
    public DateTimeOffset? RunAt { get; init; }
    public int? RunRevision { get; init; }
    public string? RunHash { get; init; }
}
