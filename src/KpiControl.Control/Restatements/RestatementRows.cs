using System.Text.Json;
using KpiControl.Control.Changes;

namespace KpiControl.Control.Restatements;

/// <summary>An offer as stored, with its cause and how far it is.</summary>
internal sealed record RestatementRow
{
    private static readonly JsonSerializerOptions Words = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public long RestatementId { get; init; }
    public long BindingId { get; init; }
    public string TenantId { get; init; } = "";
    public string Environment { get; init; } = "";
    public string Region { get; init; } = "";
    public string JobId { get; init; } = "";
    public string KpiId { get; init; } = "";
    public string ContractVersion { get; init; } = "";
    /// <summary><c>refresh</c> or <c>kpi</c>.</summary>
    public string Cause { get; init; } = "";
    public string Source { get; init; } = "";
    public long? RefreshId { get; init; }
    public string? SourceRun { get; init; }
    public string? Version { get; init; }
    public string? PublishedBy { get; init; }
    public DateTimeOffset? PublishedAt { get; init; }
    public DateTimeOffset? DataThrough { get; init; }
    public DateTimeOffset? ChangedFrom { get; init; }
    public long? UpstreamId { get; init; }
    public DateOnly FirstDate { get; init; }
    public DateOnly LastDate { get; init; }
    public DateTimeOffset OfferedAt { get; init; }
    public DateTimeOffset ExpiresAt { get; init; }
    /// <summary>As it was written; whether it has lapsed since, or how far it is, <see cref="State"/> tells.</summary>
    public string Stored { get; init; } = "";
    public bool Lapsed { get; init; }
    public long? SupersededBy { get; init; }
    public string? Digest { get; init; }
    /// <summary>JSON.</summary>
    public string? Required { get; init; }
    public DateTimeOffset? AcceptedAt { get; init; }
    public string? AcceptedBy { get; init; }
    public string Reason { get; init; } = "";
    public DateTimeOffset? ClosedAt { get; init; }
    public string? ClosedBy { get; init; }
    public string CloseReason { get; init; } = "";
    public long? BackfillId { get; init; }
    public DateTimeOffset? FinishedAt { get; init; }
    public int Total { get; init; }
    public int Restated { get; init; }

    public IReadOnlyList<ApprovalNeed> Needs => Required is null ? [] : JsonSerializer.Deserialize<List<ApprovalNeed>>(Required, Words)!;

    /// <summary>The word that people are told.</summary>
    public string State => Stored switch
    {
        "offered" or "proposed" => Lapsed ? "expired" : Stored,
        "accepted" => FinishedAt is null ? "running" : Restated == Total ? "restated" : "failed",
        _ => Stored,
    };
}

/// <summary>A business date of an offer.</summary>
internal sealed record RestatedDateRow
{
    public DateOnly BusinessDate { get; init; }
    public long ReportedRunId { get; init; }
    public int Revision { get; init; }
    public string ContentHash { get; init; } = "";
    /// <summary>Of its latest try; null while there is none that delivered.</summary>
    public long? RestatedRunId { get; init; }
    public string State { get; init; } = "";
}

/// <summary>The points that a run kept, as JSON; and how many it had.</summary>
internal sealed record PointsRow
{
    public long RunId { get; init; }
    public int DataPoints { get; init; }
    public string? Points { get; init; }
}
