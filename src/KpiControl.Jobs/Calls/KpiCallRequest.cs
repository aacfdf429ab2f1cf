using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Calls;

/// <summary>A KPI Call as an executor gets it: what <see cref="KpiCall"/> wrote. A member that is not known is refused, never ignored.</summary>
public sealed record KpiCallRequest
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
    public IReadOnlyList<JobFilter> Filters { get; init; } = [];
    /// <summary>By category.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Extensions { get; init; } = new Dictionary<string, IReadOnlyList<string>>();
    /// <summary><c>as_reported</c> or <c>restated</c>.</summary>
    public string ScdView { get; init; } = "as_reported";
    public JsonObject? Options { get; init; }

    [JsonIgnore]
    public IReadOnlyList<string> TimeExtensions => Extensions.GetValueOrDefault("time") ?? [];

    /// <summary>Null where the text is no KPI Call.</summary>
    public static KpiCallRequest? Read(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<KpiCallRequest>(json, Wire);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

public sealed record CallTime(string? Grain = null, CallRange? Range = null, string? Calendar = null);

/// <summary><c>relative</c> with <c>last_n</c>, or <c>absolute</c> with <c>from</c> and <c>to</c>, both included.</summary>
public sealed record CallRange(string Type, int? LastN = null, string? From = null, string? To = null);
