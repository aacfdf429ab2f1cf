using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace KpiControl.Agent.Executors.Calls;

/// <summary>The KPI Call as control sent it. A member that this agent does not know is refused, never ignored.</summary>
internal sealed record KpiCall
{
    private static readonly JsonSerializerOptions Wire = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
    };

    public required string KpiId { get; init; }
    public required string ContractVersion { get; init; }
    public CallTime? Time { get; init; }
    public IReadOnlyList<string> Dimensions { get; init; } = [];
    public IReadOnlyList<CallFilter> Filters { get; init; } = [];
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Extensions { get; init; } = new Dictionary<string, IReadOnlyList<string>>();
    public string ScdView { get; init; } = "as_reported";
    public JsonObject? Options { get; init; }

    public IReadOnlyList<string> TimeExtensions => Extensions.GetValueOrDefault("time") ?? [];

    /// <summary>Null where the text is no KPI Call.</summary>
    public static KpiCall? Parse(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<KpiCall>(json, Wire);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

internal sealed record CallTime(string? Grain = null, CallRange? Range = null, string? Calendar = null);

/// <summary><c>relative</c> with <c>last_n</c>, or <c>absolute</c> with <c>from</c> and <c>to</c>, both included.</summary>
internal sealed record CallRange(string Type, int? LastN = null, string? From = null, string? To = null);

internal sealed record CallFilter(string Field, string Op, JsonNode? Value = null);
