using System.Text.Json;
using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Evidence;

/// <summary>Reads JSON that has one spelling, and JSON that stands in a text.</summary>
internal static class CanonicalJson
{
    /// <summary>Null where the text is no object, or not spelled as RFC 8785 spells it.</summary>
    public static JsonObject? Read(string text) => ReadAny(text) is JsonObject item && Attempt(() => Jcs.Write(item)) == text ? item : null;

    /// <summary>Null where the text is no JSON, or has a name twice.</summary>
    public static JsonNode? ReadAny(string? text) => text is null ? null : Attempt(() =>
    {
        var node = JsonNode.Parse(text);
        // Read lazily: what is broken further in shows when it is written.
        _ = Jcs.Write(node);
        return node;
    });

    /// <summary>Null where it is no text.</summary>
    public static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    /// <summary>A member's text; null where there is none.</summary>
    public static string? Text(JsonNode? item, string name) => item is JsonObject members ? Text(members[name]) : null;

    /// <summary>A number, as JSON texts within rows have them; null where it is none.</summary>
    public static string? Number(JsonNode? node) => node is JsonValue value && value.GetValueKind() == JsonValueKind.Number ? Jcs.Write(value) : null;

    /// <summary>The first member that is missing or too many; null where they are exactly these.</summary>
    public static string? Unlike(JsonObject item, params IReadOnlyList<string> members) =>
        members.FirstOrDefault(name => !item.ContainsKey(name)) ?? item.Select(member => member.Key).FirstOrDefault(name => !members.Contains(name));

    private static T? Attempt<T>(Func<T?> read) where T : class
    {
        try
        {
            return read();
        }
        catch (Exception broken) when (broken is JsonException or ArgumentException or InvalidOperationException or FormatException or OverflowException)
        {
            return null;
        }
    }
}
