using System.Globalization;
using System.Text.Json.Nodes;
using KpiControl.Control.Leases;

namespace KpiControl.Control.OpenLineage;

/// <summary>An attempt as OpenLineage tells it, one RunEvent of the specification's version 2-0-2; pure.</summary>
internal static class LineageEvent
{
    public const string Producer = "urn:kpicontrol:control";

    private const string Core = "https://openlineage.io/spec/2-0-2/OpenLineage.json", Facets = "https://openlineage.io/spec/facets";

    /// <param name="prefix">The receiver's namespace.</param>
    public static JsonObject Of(LineageFacts facts, string prefix, string build)
    {
        var document = facts.Document is { } text ? JsonNode.Parse(text) as JsonObject : null;
        return new JsonObject
        {
            ["eventType"] = facts.EventType, ["eventTime"] = Text(facts.IsStart ? StartOf(facts) : EndOf(facts)), ["producer"] = Producer, ["schemaURL"] = $"{Core}#/$defs/RunEvent",
            ["run"] = new JsonObject { ["runId"] = facts.AttemptId.ToString("D"), ["facets"] = RunFacets(facts, document, build) },
            ["job"] = new JsonObject { ["namespace"] = $"{prefix}/{facts.TenantId}/{facts.Environment}", ["name"] = facts.JobId, ["facets"] = JobFacets(facts) },
            ["inputs"] = facts.IsStart ? [] : Inputs(facts, document, prefix), ["outputs"] = facts.IsStart ? [] : Outputs(facts, document, prefix),
        };
    }

    // The attempt's own clock where it reported; else when it was granted, and when its end was recorded.
    private static DateTimeOffset StartOf(LineageFacts facts) => facts.StartedAt ?? AttemptId.GrantedAt(facts.AttemptId) ?? facts.CreatedAt;

    private static DateTimeOffset EndOf(LineageFacts facts) => facts.FinishedAt ?? facts.RecordedAt ?? facts.CreatedAt;

    private static JsonObject RunFacets(LineageFacts facts, JsonObject? document, string build)
    {
        var run = new JsonObject
        {
            ["nominalTime"] = Facet("1-0-1", "NominalTimeRunFacet", ("nominalStartTime", Text(facts.WindowStart ?? facts.ScheduledFor)), ("nominalEndTime", Text(facts.ScheduledFor))),
            ["processing_engine"] = Facet("1-1-1", "ProcessingEngineRunFacet", ("name", "KpiControl"), ("version", build)),
            ["kpicontrol_run"] = new JsonObject(new (string Name, JsonNode? Value)[]
            {
                ("_producer", Producer), ("_schemaURL", $"{Core}#/$defs/RunFacet"), ("definition_hash", facts.ContentHash), ("contract_digest", facts.ContractDigest), ("region", facts.Region),
                ("run_id", facts.RunId?.ToString(CultureInfo.InvariantCulture)), ("status", facts.Status), ("business_date", facts.BusinessDate?.ToString("O", CultureInfo.InvariantCulture)),
                ("trigger_kind", facts.TriggerKind), ("try", facts.RetrySeq + 1), ("reason", facts.Reason), ("error_code", facts.ErrorCode),
                ("values_digest", Member(document, "values_digest")), ("sql_hash", Member(document?["lineage"], "sql_hash")), ("upstream_run_id", Member(document?["lineage"], "upstream_run_id")),
            }.Where(member => member.Value is not null).Select(member => KeyValuePair.Create(member.Name, member.Value))),
        };
        if (facts.EventType is "FAIL" or "ABORT")
            run["errorMessage"] = Facet("1-0-1", "ErrorMessageRunFacet", ("message", Words(facts)), ("programmingLanguage", "C#"));
        return run;
    }

    private static string Words(LineageFacts facts) =>
        string.Join(": ", new[] { facts.ErrorCode, facts.ErrorMessage is { Length: > 0 } said ? said : facts.Reason ?? facts.Status }.Where(part => !string.IsNullOrEmpty(part)));

    private static JsonObject JobFacets(LineageFacts facts) => new()
    {
        ["jobType"] = Facet("2-0-3", "JobTypeJobFacet", ("processingType", "BATCH"), ("integration", "KPICONTROL"), ("jobType", "KPI")),
        ["documentation"] = Facet("1-0-1", "DocumentationJobFacet", ("description", $"{facts.KpiId}@{facts.ContractVersion}")),
    };

    private static JsonArray Inputs(LineageFacts facts, JsonObject? document, string prefix) =>
    [
        .. from source in document?["lineage"]?["sources"] as JsonArray ?? []
           let name = Member(source, "name")
           where name is not null
           select Dataset(facts, prefix, Member(source, "type") == "kpi" ? $"kpi/{name}" : $"table/{name}", Member(source, "version")),
    ];

    // The KPI that was computed, and the tables that were loaded and built on the way.
    private static JsonArray Outputs(LineageFacts facts, JsonObject? document, string prefix)
    {
        var outputs = new JsonArray();
        foreach (var stage in document?["stages"] as JsonArray ?? [])
            if (Member(stage, "dataset") is { Length: > 0 } table && Member(stage, "status") == "succeeded")
                outputs.Add(Counted(Dataset(facts, prefix, $"table/{table}", Member(stage, "version")), long.TryParse(Member(stage, "output_rows"), CultureInfo.InvariantCulture, out var rows) ? rows : 0));
        if (facts.EventType == "COMPLETE" && facts.DataPoints is { } points)
            outputs.Add(Counted(Dataset(facts, prefix, $"kpi/{facts.KpiId}", facts.ContractVersion), points));
        return outputs;
    }

    private static JsonObject Dataset(LineageFacts facts, string prefix, string name, string? version)
    {
        var dataset = new JsonObject { ["namespace"] = $"{prefix}/{facts.TenantId}/{facts.Environment}", ["name"] = name };
        if (!string.IsNullOrEmpty(version))
            dataset["facets"] = new JsonObject { ["version"] = Facet("1-0-1", "DatasetVersionDatasetFacet", ("datasetVersion", version)) };
        return dataset;
    }

    private static JsonObject Counted(JsonObject dataset, long rows)
    {
        dataset["outputFacets"] = new JsonObject { ["outputStatistics"] = Facet("1-0-2", "OutputStatisticsOutputDatasetFacet", ("rowCount", rows)) };
        return dataset;
    }

    private static JsonObject Facet(string version, string name, params (string Name, JsonNode? Value)[] members) => new(
    [
        KeyValuePair.Create("_producer", (JsonNode?)Producer), KeyValuePair.Create("_schemaURL", (JsonNode?)$"{Facets}/{version}/{name}.json#/$defs/{name}"),
        .. members.Select(member => KeyValuePair.Create(member.Name, member.Value)),
    ]);

    private static string? Member(JsonNode? item, string name) => item is JsonObject members && members[name] is JsonValue value && value.TryGetValue<string>(out var text) && text.Length > 0 ? text : null;

    private static string Text(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
