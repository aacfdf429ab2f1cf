using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Runs;

/// <summary>From the stored document (the agent's report, and what control knew) to what callers are shown.</summary>
internal static class EvidenceReading
{
    // What a later build adds to the document must not make an older node fail.
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    public static RunEvidence Read(EvidenceRow row, bool withPoints)
    {
        using var document = JsonDocument.Parse(row.Document);
        var root = document.RootElement;
        var report = Parser.Parse<Finished>(row.Document);
        var evidence = new RunEvidence
        {
            DefinitionHash = Text(root, "definition_hash"), ContractDigest = Text(root, "contract_digest"), SchemaVersion = Text(root, "schema_version"),
            Agent = Text(root, "agent"), AgentBuild = report.AgentBuild, Executor = report.Executor, Lineage = report.Lineage,
            Call = root.TryGetProperty("call", out var call) && call.ValueKind == JsonValueKind.Object ? Parser.Parse<Struct>(call.GetRawText()) : null,
        };
        evidence.Secrets.AddRange(report.Secrets);
        evidence.Validations.AddRange(report.Validations);
        evidence.Stages.AddRange(report.Stages);
        evidence.Warnings.AddRange(report.Warnings);
        if (root.TryGetProperty("overrides", out var overrides) && overrides.ValueKind == JsonValueKind.Array)
            evidence.Overrides.AddRange(overrides.EnumerateArray().Select(over => Parser.Parse<Override>(over.GetRawText())));
        if (withPoints)
            evidence.Points.AddRange(report.Points);
        return evidence;
    }

    public static StaleReport ReadLate(EvidenceRow row)
    {
        using var document = JsonDocument.Parse(row.Document);
        var report = Parser.Parse<Finished>(row.Document);
        return new StaleReport
        {
            AttemptId = row.AttemptId.ToString(), Fence = report.Fence, RecordedAt = Timestamp.FromDateTimeOffset(row.RecordedAt),
            Status = report.Status, Detail = Text(document.RootElement, "detail") is { Length: > 0 } detail ? detail : row.Kind,
        };
    }

    private static string Text(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
}
