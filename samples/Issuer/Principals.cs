using System.Text.Json;

namespace KpiControl.Samples.Issuer;

/// <summary>The demo principals: a name and the claims that its tokens carry.</summary>
internal static class Principals
{
    public static IReadOnlyDictionary<string, Dictionary<string, object>> All { get; } = Read();

    private static Dictionary<string, Dictionary<string, object>> Read()
    {
        using var file = typeof(Principals).Assembly.GetManifestResourceStream("principals.json")!;
        var all = JsonSerializer.Deserialize<Dictionary<string, Dictionary<string, JsonElement>>>(file)!;
        return all.ToDictionary(p => p.Key, p => p.Value.ToDictionary(c => c.Key, c => Claim(c.Value)));
    }

    private static object Claim(JsonElement value) => value.ValueKind == JsonValueKind.Array
        ? value.EnumerateArray().Select(v => v.GetString()!).ToArray()
        : value.GetString()!;
}
