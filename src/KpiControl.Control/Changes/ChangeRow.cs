using System.Text.Json;
using KpiControl.Control.Authoring;
using KpiControl.Control.Tenants;

namespace KpiControl.Control.Changes;

/// <summary>A change as stored, with what stands now beside what it was proposed against.</summary>
internal sealed record ChangeRow
{
    private static readonly JsonSerializerOptions Words = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public long ChangeId { get; init; }
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public required string Region { get; init; }
    public required string JobId { get; init; }
    public long BindingId { get; init; }
    public required string Kind { get; init; }
    public long DefId { get; init; }
    public required string ContentHash { get; init; }
    public required string Format { get; init; }
    public required string Content { get; init; }
    public required string CanonicalJson { get; init; }
    /// <summary>Null: a first binding.</summary>
    public long? BaseDefId { get; init; }
    public string? BaseContentHash { get; init; }
    public string? BaseCanonicalJson { get; init; }
    public int BaseRevision { get; init; }
    public required string ContractDigest { get; init; }
    /// <summary>Of the contract as it is stored now; null: it is gone.</summary>
    public string? ContractDigestNow { get; init; }
    public int PolicyVersion { get; init; }
    public required string Digest { get; init; }
    /// <summary>JSON.</summary>
    public required string Required { get; init; }
    public required string Author { get; init; }
    public required string Reason { get; init; }
    /// <summary>Who applies it, where somebody said so: the binding's with the release.</summary>
    public string? Source { get; init; }
    public DateTimeOffset ProposedAt { get; init; }
    public DateTimeOffset ExpiresAt { get; init; }
    public required string State { get; init; }
    public DateTimeOffset? ClosedAt { get; init; }
    public string? ClosedBy { get; init; }
    public int? AppliedRevision { get; init; }
    public bool Expired { get; init; }
    public int RevisionNow { get; init; }
    /// <summary>Its source had the job no more: it is scheduled again by whatever is released.</summary>
    public bool IsPruned { get; init; }
    public int PolicyVersionNow { get; init; }
    /// <summary>Null: the schedule names none.</summary>
    public string? Calendar { get; init; }
    public int? CalendarVersion { get; init; }
    public int? CalendarVersionNow { get; init; }
    /// <summary>Null: the job loads and builds none.</summary>
    public string[]? Tables { get; init; }
    /// <summary>JSON: by which contracts, when it was proposed.</summary>
    public string? TableContracts { get; init; }
    /// <summary>JSON: those of the tables that are in force now.</summary>
    public string? UsableTables { get; init; }
    /// <summary>Of the policy in force: JSON; null: none.</summary>
    public string? ReleaseWindows { get; init; }
    public string? Freezes { get; init; }
    public DateTimeOffset Now { get; init; }

    public IReadOnlyList<ApprovalNeed> Needs => JsonSerializer.Deserialize<List<ApprovalNeed>>(Required, Words)!;

    /// <summary>What an approval would sign if it were proposed now.</summary>
    public string DigestNow => ChangeDigest.Of(this);

    public bool IsStale => State == "open" && (DigestNow != Digest || ContractDigestNow != ContractDigest);

    /// <summary>What keeps it from being released now, whoever agreed; null where nothing does.</summary>
    public ReleaseHold? Hold => State == "open" ? ReleaseHours.Of(ReleaseWindows, Freezes).HoldAt(Now) : null;

    public bool Removes => Kind == Proposals.Removal;

    public string BaseEtag => Etags.Of(BaseRevision);
}

/// <summary>Whose agreement a change needs.</summary>
/// <param name="Capacity"><c>business</c> or <c>technical</c>.</param>
/// <param name="Principal">Empty: anybody with that approver's role.</param>
internal sealed record ApprovalNeed(string Capacity, string Principal);

internal sealed record DecisionRow
{
    public long ChangeId { get; init; }
    public required string Principal { get; init; }
    public required string Capacity { get; init; }
    public required string Decision { get; init; }
    public required string Digest { get; init; }
    public required string Comment { get; init; }
    public DateTimeOffset DecidedAt { get; init; }
}
