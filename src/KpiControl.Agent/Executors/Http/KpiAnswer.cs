using System.Globalization;
using System.Text.Json;
using KpiControl.Jobs.Calls;
using KpiControl.Jobs.Contracts;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Executors.Http;

/// <summary>Reads a KPI service's answer into the attempt's record, and holds it to what was asked.</summary>
internal static class KpiAnswer
{
    private const int MostWarnings = 20;

    /// <returns>Null where the answer is what was asked for.</returns>
    public static Failure? Read(byte[] body, KpiCallRequest call, MetricContract contract, AttemptRecord record)
    {
        try
        {
            using var json = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 32 });
            var root = json.RootElement;
            if (Mismatch(root, call) is { } problem)
                return Failure.Mismatch(problem);
            var rows = new KpiAnswerRows(call, contract);
            record.Points = [.. root.GetProperty("data").EnumerateArray().SelectMany(rows.Points)];
            if (rows.Problem(record.Points) is { } missing)
                return Failure.Mismatch(missing);
            record.OutputRows = record.Points.Count;
            ReadLineage(root, record.Lineage);
            if (root.TryGetProperty("meta", out var meta) && meta.TryGetProperty("warnings", out var warnings))
                record.Warnings.AddRange(warnings.EnumerateArray().Take(MostWarnings).Select(one => one.GetString() ?? ""));
            return null;
        }
        // An answer of another shape: a member that is missing, or of another kind.
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return Failure.Mismatch("the KPI service's answer does not have the shape of a KPI Call's response");
        }
    }

    private static string? Mismatch(JsonElement root, KpiCallRequest call)
    {
        var version = root.GetProperty("contract_version").GetString();
        if (version != call.ContractVersion)
            return $"the KPI service answered with contract version {version}, and {call.ContractVersion} was called";
        if (root.GetProperty("kpi_id").GetString() != call.KpiId)
            return "the KPI service answered with another KPI";
        if (root.TryGetProperty("scd_view", out var view) && view.GetString() != call.ScdView)
            return "the KPI service answered with another scd_view";
        var applied = root.TryGetProperty("applied_extensions", out var names) ? names.EnumerateArray().Select(name => name.GetString()).ToHashSet() : [];
        return call.Extensions.Values.SelectMany(one => one).FirstOrDefault(name => !applied.Contains(name)) is { } left
            ? $"the KPI service did not apply the extension {left}" : null;
    }

    private static void ReadLineage(JsonElement root, Lineage lineage)
    {
        lineage.UpstreamRunId = root.TryGetProperty("run_id", out var run) ? run.ToString() : "";
        if (!root.TryGetProperty("lineage", out var read))
            return;
        lineage.SqlHash = Text(read, "sql_hash");
        foreach (var source in read.GetProperty("sources").EnumerateArray())
            lineage.Sources.Add(Text(source, "type") == "kpi"
                ? new LineageSource { Type = "kpi", Name = Text(source, "kpi_id"), Version = Text(source, "contract_version") }
                : new LineageSource { Type = "gdp", Name = Text(source, "table"), Version = Text(source, "version") });
    }

    private static string Text(JsonElement owner, string name) =>
        owner.TryGetProperty(name, out var value) ? value.ValueKind == JsonValueKind.String ? value.GetString()! : value.ToString().ToString(CultureInfo.InvariantCulture) : "";
}
