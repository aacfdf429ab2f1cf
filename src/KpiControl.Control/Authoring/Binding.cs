using System.Text.Json.Nodes;
using KpiControl.Control.Overrides;

namespace KpiControl.Control.Authoring;

/// <summary>A binding as stored.</summary>
internal sealed record Binding
{
    public long BindingId { get; init; }
    public long DefId { get; init; }
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public required string Region { get; init; }
    public required string JobId { get; init; }
    public required string KpiId { get; init; }
    public required string ContractVersion { get; init; }
    public required string ScheduleCron { get; init; }
    public required string Timezone { get; init; }
    public bool ActiveFlag { get; init; }
    public required string ScdView { get; init; }
    /// <summary>JSON: what cron cannot say.</summary>
    public required string ScheduleExtra { get; init; }
    public int Revision { get; init; }
    public bool ScheduleOverridden { get; init; }
    /// <summary>The calendar that its schedule names, at the version in force; null where it names none.</summary>
    public string? Calendar { get; init; }
    public int? CalendarVersion { get; init; }
    public string? CalendarJson { get; init; }
    /// <summary>JSON: what stands over its definition; null for nothing.</summary>
    public string? OverridesJson { get; init; }
    public required string ContentHash { get; init; }
    /// <summary>Who applied it; null where nobody named themselves.</summary>
    public string? Source { get; init; }
    /// <summary>When its source had it no more; null where that is not why it is inactive.</summary>
    public DateTimeOffset? PrunedAt { get; init; }

    public OverrideList Overrides => OverrideList.Read(OverridesJson);

    public string Etag => Etags.Of(Revision);

    /// <summary>Several of its occurrences may run at once.</summary>
    public bool RunsBesideItself => (string?)JsonNode.Parse(ScheduleExtra)?["overlap"] == "allow";

    /// <summary>A first binding that waits for its approval: no revision of it was ever in force.</summary>
    public bool IsUnreleased => Revision == 1 && !ActiveFlag;
}

/// <summary>How a request addresses a binding.</summary>
internal readonly record struct BindingKey(long BindingId, string Tenant, string Environment, string JobId);
