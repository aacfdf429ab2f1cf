using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Tests.Artifacts;

/// <summary>Other ways to write the same job.</summary>
internal static class Respelling
{
    private static readonly string[] Objects = ["owners", "dependencies", "sla", "retry", "run", "runtime"];
    private static readonly string[] Lists = ["labels", "alerts"];

    public static JsonNode Shuffled(JsonNode node, Random random) => node switch
    {
        JsonObject o => new JsonObject(o.OrderBy(_ => random.Next()).Select(m => KeyValuePair.Create(m.Key, m.Value is null ? null : Shuffled(m.Value, random)))),
        JsonArray a => new JsonArray([.. a.Select(i => i is null ? null : Shuffled(i, random))]),
        _ => node.DeepClone(),
    };

    /// <summary>Members that say nothing, where the schema knows a member and the job has none.</summary>
    public static JsonObject WithNothings(JsonObject job, Random random)
    {
        var copy = job.DeepClone().AsObject();
        foreach (var name in Objects) copy.TryAdd(name, random.Next(2) == 0 ? null : new JsonObject());
        foreach (var name in Lists) copy.TryAdd(name, random.Next(2) == 0 ? null : new JsonArray());
        copy.TryAdd("description", null);
        copy["schedule"]!.AsObject().TryAdd("calendar", null);
        if (copy["dependencies"] is JsonObject dependencies) dependencies.TryAdd("signals", new JsonArray());
        if (copy["runtime"] is JsonObject runtime) runtime.TryAdd("extensions", new JsonObject { ["entity"] = new JsonArray(), ["time"] = null });
        return copy;
    }

    /// <summary>Every default of the table, wherever the job does not say otherwise.</summary>
    public static JsonObject WithDefaults(JsonObject job)
    {
        var copy = job.DeepClone().AsObject();
        foreach (var field in JobFields.All.Where(f => f.Default is not null))
            Place(copy, field.Pointer[1..].Split('/'), field.DefaultValue!);
        foreach (var target in new[] { "freshness", "latency" })
            if (copy["sla"]![target] is JsonValue bare && Durations.TryParse(bare.GetValue<string>(), out var length))
                copy["sla"]![target] = new JsonObject { ["target"] = bare.GetValue<string>(), ["grace"] = Durations.Format(JobFields.DefaultGrace(length)) };
        return copy;
    }

    public static JsonObject WithSetsShuffled(JsonObject job, Random random)
    {
        var copy = job.DeepClone().AsObject();
        foreach (var field in JobFields.All.Where(f => f.Kind == FieldKind.Set))
            foreach (var set in Find([copy], field.Pointer[1..].Split('/')).OfType<JsonArray>().ToList())
            {
                var items = set.Concat(set.Take(random.Next(3))).OrderBy(_ => random.Next()).Select(i => i?.DeepClone()).ToArray();
                set.Clear();
                foreach (var item in items) set.Add(item);
            }

        return copy;
    }

    private static void Place(JsonNode owner, ReadOnlySpan<string> path, JsonNode value)
    {
        if (path[0] == "*")
            foreach (var item in owner.AsArray()) Place(item!, path[1..], value);
        else if (path.Length == 1)
            owner.AsObject().TryAdd(path[0], value.DeepClone());
        else
        {
            owner.AsObject().TryAdd(path[0], path[1] == "*" ? new JsonArray() : new JsonObject());
            Place(owner[path[0]]!, path[1..], value);
        }
    }

    private static IEnumerable<JsonNode> Find(IEnumerable<JsonNode> nodes, IEnumerable<string> path) => path.Aggregate(nodes,
        (found, name) => found.SelectMany(n => name == "*" ? n.AsArray().OfType<JsonNode>() : n[name] is { } member ? [member] : []));
}
