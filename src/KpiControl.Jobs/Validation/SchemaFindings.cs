using System.Globalization;
using System.Text.RegularExpressions;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;
using NJsonSchema;
using NJsonSchema.Validation;

namespace KpiControl.Jobs.Validation;

/// <summary>The validator's mistakes in an author's words. Values are never repeated: one of them may be a secret.</summary>
internal static class SchemaFindings
{
    public static void Add(SchemaMistake mistake, FindingList findings)
    {
        var (error, node, owner, isType) = mistake;
        if (isType) AddType(error, node, findings);
        else if (error.Kind == ValidationErrorKind.PropertyRequired) AddMissing(error, node, findings);
        else if (error.Kind == ValidationErrorKind.NoAdditionalPropertiesAllowed && owner is not null) AddUnknown(error, owner, findings);
        else AddValue(error, node, findings);
    }

    private static void AddType(ValidationError error, ArtifactNode node, FindingList findings)
    {
        var schema = error.Schema.ActualSchema;
        var type = schema.Type;
        findings.Error("schema.type", node, $"{NameOf(node)} is {Words(node.Kind)}; expected {Words(type)}.", QuotesWouldDo(schema, node) ? "Write it in quotes." : SchemaHints.Of(schema));
    }

    private static bool QuotesWouldDo(JsonSchema schema, ArtifactNode node) =>
        schema.Type.HasFlag(JsonObjectType.String) && schema.Enumeration.Count == 0 && node.Kind is NodeKind.Number or NodeKind.Boolean
        && (schema.Pattern is null || Regex.IsMatch(Jcs.Write(node.ToJson()), schema.Pattern));

    private static void AddMissing(ValidationError error, ArtifactNode node, FindingList findings)
    {
        var known = error.Schema.ActualSchema.Properties.Keys;
        var misspelt = node.Members.Select(m => m.Name).FirstOrDefault(n =>
            NearestName.Of(n, [error.Property!]) is not null && !known.Contains(n) && NearestName.Of(n, known) == error.Property);
        findings.Error("schema.required", node.Place, node.Pointer + JsonPointer.Segment(error.Property!), $"{error.Property} is missing.",
            misspelt is null ? SchemaHints.OfMissing(error.Property!, error.Schema.ActualSchema) : $"Rename {misspelt} to {error.Property}.");
    }

    private static void AddUnknown(ValidationError error, ArtifactNode owner, FindingList findings)
    {
        var member = owner.Members.First(m => m.Name == error.Property);
        var known = error.Schema.ActualSchema.Properties.Keys;
        var nearest = NearestName.Of(member.Name, known);
        var hint = nearest is not null ? $"Did you mean {nearest}?"
            : member.Name.StartsWith("x-", StringComparison.Ordinal) ? "x-… fields stand at the top level and begin with x- and a letter or digit."
            : $"Known here: {string.Join(", ", known)}.";
        findings.Error("schema.unknown_field", member.Place, member.Value.Pointer, $"There is no field \"{Short(member.Name)}\" here.", hint);
    }

    private static void AddValue(ValidationError error, ArtifactNode node, FindingList findings)
    {
        var schema = error.Schema.ActualSchema;
        var (rule, message) = error.Kind switch
        {
            ValidationErrorKind.PatternMismatch => ("schema.pattern", "is not written as expected"),
            ValidationErrorKind.NotInEnumeration => ("schema.enum", "must be one of " + string.Join(", ", schema.Enumeration.OfType<string>())),
            ValidationErrorKind.StringTooShort => ("schema.min_length", "must not be empty"),
            ValidationErrorKind.StringTooLong => ("schema.max_length", $"has more than {schema.MaxLength} characters"),
            ValidationErrorKind.NumberTooSmall => ("schema.minimum", $"must be at least {Number(schema.Minimum)}"),
            ValidationErrorKind.NumberTooBig or ValidationErrorKind.IntegerTooBig => ("schema.maximum", $"must be at most {Number(schema.Maximum)}"),
            ValidationErrorKind.TooFewItems => ("schema.min_items", $"must have at least {schema.MinItems} entries"),
            ValidationErrorKind.TooManyItems => ("schema.max_items", $"has more than {schema.MaxItems} entries"),
            _ => ("schema.value", "does not fit the schema"),
        };
        findings.Error(rule, node, $"{NameOf(node)} {message}.", SchemaHints.OfValue(schema, node));
    }

    private static string NameOf(ArtifactNode node)
    {
        var pointer = node.Pointer;
        return pointer.Length == 0 ? "The document" : Short(pointer[1..].Replace('/', '.'));
    }

    private static string Short(string text) => text.Length <= 80 ? text : text[..79] + "…";

    private static string Number(decimal? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "";

    private static string Words(NodeKind kind) => kind switch
    {
        NodeKind.Null => "empty",
        NodeKind.Boolean => "a truth value",
        NodeKind.Number => "a number",
        NodeKind.String => "text",
        NodeKind.Array => "a list",
        _ => "an object",
    };

    private static string Words(JsonObjectType types)
    {
        (JsonObjectType Type, string Words)[] all =
        [
            (JsonObjectType.String, "text"), (JsonObjectType.Integer, "a whole number"), (JsonObjectType.Number, "a number"),
            (JsonObjectType.Boolean, "true or false"), (JsonObjectType.Array, "a list"), (JsonObjectType.Object, "an object"),
        ];
        return string.Join(" or ", all.Where(t => types.HasFlag(t.Type)).Select(t => t.Words));
    }
}
