using System.Text.Json;

namespace KpiControl.Control.Audit;

/// <summary>Who did what to which object, and what it was before and after.</summary>
internal sealed record AuditEntry
{
    public required string TenantId { get; init; }
    public string? Environment { get; init; }
    public required string Actor { get; init; }
    /// <summary>A verb of the platform, or what the system did by itself.</summary>
    public required string Verb { get; init; }
    /// <summary><c>binding, contract, signal, refresh, occurrence, session</c>; <c>agent</c> or <c>cluster</c> (of tenant <c>*</c>).</summary>
    public required string ObjectKind { get; init; }
    public required string ObjectId { get; init; }
    public string Reason { get; init; } = "";
    /// <summary>JSON.</summary>
    public string? Before { get; init; }
    /// <summary>JSON.</summary>
    public string? After { get; init; }
    public Guid? RequestId { get; init; }

    private static readonly JsonSerializerOptions Words = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static string Json<T>(T facts) => JsonSerializer.Serialize(facts, Words);
}
