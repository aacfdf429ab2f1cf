using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.Serialization;

namespace KpiControl.Cli.Output;

/// <summary>A JSON value as YAML 1.2, in the order of its members.</summary>
internal static class YamlText
{
    public static string Of(JsonNode node) =>
        new SerializerBuilder().WithQuotingNecessaryStrings().WithIndentedSequences().DisableAliases().Build().Serialize(Plain(node)!);

    private static object? Plain(JsonNode? node) => node switch
    {
        null => null,
        JsonObject members => members.ToDictionary(member => member.Key, member => Plain(member.Value)),
        JsonArray list => list.Select(Plain).ToArray(),
        JsonValue value => value.GetValueKind() switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            JsonValueKind.Number => value.TryGetValue<long>(out var whole) ? whole : value.GetValue<double>(),
            _ => value.GetValue<string>(),
        },
        _ => null,
    };
}
