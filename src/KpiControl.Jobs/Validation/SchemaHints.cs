using System.Globalization;
using KpiControl.Jobs.Artifacts.Text;
using NJsonSchema;

namespace KpiControl.Jobs.Validation;

/// <summary>What to write instead: the words, the bounds or the form that the schema allows.</summary>
internal static class SchemaHints
{
    /// <summary>In place of a value of the wrong type.</summary>
    public static string Of(JsonSchema schema) => Words(schema) is { Count: > 0 } words ? $"Write {Choice(words)}{OrNothing(schema)}." : Form(schema);

    /// <summary>In place of a value that is refused: the message has named the words that it may be.</summary>
    public static string OfValue(JsonSchema schema, ArtifactNode node)
    {
        if (Words(schema) is not { Count: > 0 } words)
            return Form(schema);
        // What SQL writes for it is no typing mistake, and < is nearer to it by its letters.
        if (node is { Kind: NodeKind.String, Text: "<>" } && words.Contains("!="))
            return "Did you mean !=?";
        return node.Kind == NodeKind.String && NearestName.Of(node.Text, words) is { } nearest ? $"Did you mean {nearest}?" : $"Write one of these{OrNothing(schema)}.";
    }

    /// <summary>In place of nothing.</summary>
    /// <param name="owner">Whose member is missing.</param>
    public static string OfMissing(string name, JsonSchema owner)
    {
        if (!owner.Properties.TryGetValue(name, out var member))
            return $"Add {name}.";
        return Words(member.ActualSchema) is { Count: > 0 } words ? $"Add {name}: {Choice(words)}." : $"Add {name}. {Form(member.ActualSchema)}".TrimEnd();
    }

    private static string Form(JsonSchema schema) => schema.Type switch
    {
        _ when schema.Type.HasFlag(JsonObjectType.Integer) => $"Write a whole number{Bounds(schema)}{OrNothing(schema)}.",
        _ when schema.Type.HasFlag(JsonObjectType.Array) && schema.Item is { } item => Words(item.ActualSchema) is { Count: > 0 } words
            ? $"Write a list of {string.Join(", ", words)}, such as [{words[0]}]." : "Write a list: [first, second].",
        _ when schema.Type.HasFlag(JsonObjectType.Object) && schema.Properties.Count > 0 =>
            $"Write fields beneath it: {string.Join(", ", schema.RequiredProperties.Count > 0 ? schema.RequiredProperties : schema.Properties.Keys)}.",
        // Where there is a pattern, the description says it in words.
        _ => schema.Pattern is not null || schema.Type.HasFlag(JsonObjectType.String) ? schema.Description ?? "" : "",
    };

    private static List<string> Words(JsonSchema schema) => [.. schema.Enumeration.OfType<string>()];

    private static string Choice(List<string> words) => words.Count == 1 ? words[0] : $"{string.Join(", ", words[..^1])} or {words[^1]}";

    private static string Bounds(JsonSchema schema) => (schema.Minimum, schema.Maximum) switch
    {
        ({ } least, { } most) => string.Create(CultureInfo.InvariantCulture, $" from {least:0} to {most:0}"),
        ({ } least, null) => string.Create(CultureInfo.InvariantCulture, $" of at least {least:0}"),
        (null, { } most) => string.Create(CultureInfo.InvariantCulture, $" of at most {most:0}"),
        _ => "",
    };

    private static string OrNothing(JsonSchema schema) => schema.Default is { } standard ? $", or leave it out for {standard}" : "";
}
