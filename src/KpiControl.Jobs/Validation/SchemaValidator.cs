using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;
using Newtonsoft.Json.Linq;
using NJsonSchema;
using NJsonSchema.Validation;

namespace KpiControl.Jobs.Validation;

/// <summary>
/// The one type that knows the validator library. It enforces the keywords of draft 4 and passes over the others in
/// silence, so the schema keeps to those; tests hold its verdicts against a second validator.
/// </summary>
internal static class SchemaValidator
{
    private static readonly Lazy<JsonSchema> Schema = new(() => JsonSchema.FromJsonAsync(JobSchema.Text).GetAwaiter().GetResult());

    /// <returns>What the later stages cannot look at.</returns>
    public static BrokenParts Check(ArtifactNode root, FindingList findings)
    {
        var mistakes = Mistakes(root);
        foreach (var about in mistakes.GroupBy(m => m.Error.Token, ReferenceEqualityComparer.Instance))
        {
            // A value of the wrong type breaks every other keyword too: one finding says enough.
            var wrongType = about.FirstOrDefault(m => m.IsType);
            foreach (var mistake in wrongType.Error is null ? about.AsEnumerable() : [wrongType])
            {
                // Wording one looks through its neighbours: ten thousand worded mistakes would cost the square of that.
                if (findings.IsFull) findings.LeaveOutError();
                else SchemaFindings.Add(mistake, findings);
            }
        }

        return BrokenParts.Of(root, mistakes, Mistakes);
    }

    private static List<SchemaMistake> Mistakes(ArtifactNode root)
    {
        var nodes = new Dictionary<JToken, ArtifactNode>(ReferenceEqualityComparer.Instance);
        var document = ToToken(root, nodes);
        return [.. Schema.Value.Validate(document).SelectMany(e => Flatten(e, nodes))];
    }

    private static IEnumerable<SchemaMistake> Flatten(ValidationError error, Dictionary<JToken, ArtifactNode> nodes)
    {
        var node = nodes[error.Token is JProperty property ? property.Value : error.Token!];
        return error switch
        {
            ChildSchemaValidationError children => children.Errors.Values.SelectMany(e => e).SelectMany(e => Flatten(e, nodes)),
            MultiTypeValidationError types => OfMatchingType(types, node, nodes),
            _ => [new SchemaMistake(error, node, OwnerOf(error, nodes), IsTypeError(error.Kind))],
        };
    }

    /// <summary>Of a field that may have several types, only what is wrong with the one that was written.</summary>
    private static IEnumerable<SchemaMistake> OfMatchingType(MultiTypeValidationError types, ArtifactNode node, Dictionary<JToken, ArtifactNode> nodes)
    {
        var written = types.Errors.FirstOrDefault(t => Matches(t.Key, node) && !t.Value.Any(e => IsTypeError(e.Kind) && e.Token == types.Token)).Value;
        return written is null
            ? [new SchemaMistake(types, node, null, IsType: true)]
            : written.SelectMany(e => Flatten(e, nodes));
    }

    private static bool Matches(JsonObjectType type, ArtifactNode node) => node.Kind switch
    {
        NodeKind.Null => type == JsonObjectType.Null,
        NodeKind.Boolean => type == JsonObjectType.Boolean,
        NodeKind.Number => type is JsonObjectType.Number or JsonObjectType.Integer,
        NodeKind.String => type == JsonObjectType.String,
        NodeKind.Array => type == JsonObjectType.Array,
        _ => type == JsonObjectType.Object,
    };

    private static bool IsTypeError(ValidationErrorKind kind) => kind is ValidationErrorKind.StringExpected or ValidationErrorKind.NumberExpected
        or ValidationErrorKind.IntegerExpected or ValidationErrorKind.BooleanExpected or ValidationErrorKind.ObjectExpected
        or ValidationErrorKind.ArrayExpected or ValidationErrorKind.NullExpected or ValidationErrorKind.NoTypeValidates;

    private static ArtifactNode? OwnerOf(ValidationError error, Dictionary<JToken, ArtifactNode> nodes) =>
        error.Token is JProperty { Parent: { } owner } ? nodes[owner] : null;

    private static JToken ToToken(ArtifactNode node, Dictionary<JToken, ArtifactNode> nodes)
    {
        JToken token = node.Kind switch
        {
            NodeKind.Boolean => new JValue(node.Boolean),
            // 3.0 is an integer to JSON Schema, and to this library only when it is one to .NET.
            NodeKind.Number => double.IsInteger(node.Number) && Math.Abs(node.Number) <= 1L << 53 ? new JValue((long)node.Number) : new JValue(node.Number),
            NodeKind.String => new JValue(node.Text),
            NodeKind.Array => new JArray(node.Items.Select(i => ToToken(i, nodes))),
            NodeKind.Object => new JObject(node.Members.Select(m => new JProperty(m.Name, ToToken(m.Value, nodes)))),
            _ => JValue.CreateNull(),
        };
        nodes.Add(token, node);
        return token;
    }
}

/// <param name="Error">The library's word for it.</param>
/// <param name="Node">The value it is about.</param>
/// <param name="Owner">The object that holds an unknown field; else null.</param>
/// <param name="IsType">The value has the wrong type.</param>
internal readonly record struct SchemaMistake(ValidationError Error, ArtifactNode Node, ArtifactNode? Owner, bool IsType);
