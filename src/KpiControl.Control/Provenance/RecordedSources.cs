using System.Globalization;
using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Provenance;

/// <summary>What a run took, one entry a source: what its definition names, what control saw it met by, what the agent says it read.</summary>
internal static class RecordedSources
{
    /// <param name="declared">The definition's <c>dependencies</c>; null: not known.</param>
    /// <param name="inputs">The evidence's <c>inputs</c>.</param>
    /// <param name="lineage">The evidence's <c>lineage</c>.</param>
    public static IReadOnlyList<SourceTaken> Of(string? declared, string? inputs, string? lineage)
    {
        var sources = new SortedDictionary<(string Type, string Name), LineageEdge>();
        LineageEdge Edge(string type, string name)
        {
            if (!sources.TryGetValue((type, name), out var edge))
                sources[(type, name)] = edge = new LineageEdge { Version = type == "kpi" ? name[(name.LastIndexOf('@') + 1)..] : "" };
            return edge;
        }

        foreach (var (type, name) in Declared(declared))
            Edge(type, name).Declared = true;
        foreach (var input in Items(inputs, null))
            Met(Edge(Text(input, "type"), Text(input, "name")), input);
        foreach (var source in Items(lineage, "sources"))
        {
            var (type, version) = (Text(source, "type"), Text(source, "version"));
            var edge = Edge(type, SourceName.Of(type, Text(source, "name"), version));
            (edge.Read, edge.Recorded, edge.ReadVersion) = (true, true, version);
        }
        return [.. sources.Select(s => new SourceTaken(s.Key.Type, s.Key.Name, s.Value))];
    }

    // Control lists every dependency of the time, also one that it found nothing for.
    private static void Met(LineageEdge edge, JsonElement input)
    {
        edge.Declared = true;
        (edge.RefreshId, edge.SignalId, edge.UpstreamRunId) = (Number(input, "refresh_id"), Number(input, "signal_id"), Number(input, "run_id"));
        edge.Recorded = edge.RefreshId > 0 || edge.SignalId > 0 || edge.UpstreamRunId > 0;
        if (edge.RefreshId > 0)
            edge.Version = Text(input, "version");
        (edge.SourceRun, edge.PublishedBy) = (Text(input, "source_run"), Text(input, "published_by"));
        (edge.DataThrough, edge.PublishedAt) = (Instant(input, "data_through"), Instant(input, "published_at"));
    }

    private static IEnumerable<(string Type, string Name)> Declared(string? dependencies) =>
        Items(dependencies, "gdp").Select(name => ("gdp", name.GetString()!))
            .Concat(Items(dependencies, "signals").Select(name => ("signal", name.GetString()!)))
            .Concat(Items(dependencies, "kpis").Select(kpi => ("kpi", SourceName.Of("kpi", Text(kpi, "kpi_id"), Text(kpi, "contract_version")))));

    private static IEnumerable<JsonElement> Items(string? json, string? member)
    {
        if (json is null)
            return [];
        using var document = JsonDocument.Parse(json);
        var list = document.RootElement;
        if (member is not null && !(list.ValueKind == JsonValueKind.Object && list.TryGetProperty(member, out list)))
            return [];
        return list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray().Select(item => item.Clone())] : [];
    }

    private static string Text(JsonElement item, string name) =>
        item.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static long Number(JsonElement item, string name) =>
        long.TryParse(Text(item, name), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private static Timestamp? Instant(JsonElement item, string name) =>
        DateTimeOffset.TryParse(Text(item, name), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? Timestamp.FromDateTimeOffset(at) : null;
}

/// <param name="Type"><c>gdp</c>, <c>signal</c> or <c>kpi</c>.</param>
/// <param name="Name">As a dependency names it.</param>
/// <param name="Edge">Without its ends.</param>
internal sealed record SourceTaken(string Type, string Name, LineageEdge Edge)
{
    public LineageNode Node => new() { Id = Id, Kind = Kind, Name = Name };

    public string Id => $"{Kind}/{Name}";

    private string Kind => Type == "gdp" ? "table" : Type;
}
