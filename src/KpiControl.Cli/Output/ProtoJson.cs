using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace KpiControl.Cli.Output;

/// <summary>REST's JSON of a message: proto names, defaults written, and 64-bit integers as numbers where proto3's own JSON quotes them.</summary>
internal static class ProtoJson
{
    private static readonly JsonFormatter Formatter =
        new(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true).WithFormatDefaultValues(true));

    // Relaxed: KPI names and reasons are for reading, and this is no HTML.
    private static readonly JsonSerializerOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions Indented = new(Compact) { WriteIndented = true };

    public static string Format(IMessage message, bool indented) => Node(message).ToJsonString(indented ? Indented : Compact);

    public static string Text(JsonNode node) => node.ToJsonString(Indented);

    public static JsonNode Node(IMessage message)
    {
        var node = JsonNode.Parse(Formatter.Format(message))!;
        Unquote(node, message.Descriptor);
        return node;
    }

    private static void Unquote(JsonNode? node, MessageDescriptor type)
    {
        if (node is not JsonObject members || type.FullName.StartsWith("google.protobuf.", StringComparison.Ordinal))
            return;
        foreach (var field in type.Fields.InDeclarationOrder())
        {
            if (members[field.Name] is not { } value || field.IsMap)
                continue;
            foreach (var element in value is JsonArray list && field.IsRepeated ? list.ToArray() : [value])
                if (field.FieldType == FieldType.Message)
                    Unquote(element, field.MessageType);
                else if (field.FieldType is FieldType.Int64)
                    element!.ReplaceWith(long.Parse(element.GetValue<string>(), CultureInfo.InvariantCulture));
        }
    }
}
