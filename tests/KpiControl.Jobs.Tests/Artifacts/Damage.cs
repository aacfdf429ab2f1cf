using System.Text.Json.Nodes;

namespace KpiControl.Jobs.Tests.Artifacts;

/// <summary>One small wrong thing somewhere in a document.</summary>
internal static class Damage
{
    private static readonly string[] Junk = ["null", "true", "0", "1", "3.0", "2.5", "-1", "99", "1e300", "\"\"", "\"x\"", "\"1.0\"", "\"1\"", "\"null\"", "\"kpi\"", "\"24h\"", "\"a\\n\"", "\"09:00\"", "[]", "[null]", "[\"a\"]", "[\"a\",1]", "{}", "{\"target\":\"1h\"}", "{\"x\":1}", "\"ALLOW\"", "\"٣s\""];

    public static JsonNode? Do(JsonNode document, Random random)
    {
        var places = Places(document).ToList();
        var (owner, key) = places[random.Next(places.Count)];
        var junk = JsonNode.Parse(Junk[random.Next(Junk.Length)]);
        if (owner is JsonArray array) array[(int)key] = junk;
        else if (random.Next(6) == 0) owner.AsObject().Remove((string)key);
        else if (random.Next(6) == 0) owner.AsObject()[(string)key + "s"] = junk;
        else owner.AsObject()[(string)key] = junk;
        return document;
    }

    private static IEnumerable<(JsonNode Owner, object Key)> Places(JsonNode? node) => node switch
    {
        JsonObject o => o.SelectMany(m => Places(m.Value).Prepend((o, m.Key))),
        JsonArray a => a.SelectMany((item, i) => Places(item).Prepend((a, i))),
        _ => [],
    };
}
