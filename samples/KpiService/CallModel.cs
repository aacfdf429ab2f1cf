using System.Text.Json.Nodes;

namespace KpiControl.Samples.KpiService;

/// <summary>The KPI Call as it arrives; names in snake_case.</summary>
internal sealed record CallRequest
{
    public string KpiId { get; init; } = "";
    public string ContractVersion { get; init; } = "";
    public CallTime? Time { get; init; }
    public string[] Dimensions { get; init; } = [];
    public CallFilter[] Filters { get; init; } = [];
    public Dictionary<string, string[]> Extensions { get; init; } = [];
    public string ScdView { get; init; } = "as_reported";
}

internal sealed record CallTime(string? Grain, CallRange? Range);

internal sealed record CallRange(string? Type, string? From, string? To);

internal sealed record CallFilter(string Field, string Op, JsonNode? Value);

/// <summary>A refusal, with the platform's code and the status that goes with it.</summary>
internal sealed class Refusal(int status, string code, string message) : Exception(message)
{
    public int Status => status;
    public string Code => code;
}
