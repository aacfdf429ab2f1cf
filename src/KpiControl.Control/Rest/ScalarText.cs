using System.Globalization;
using Google.Protobuf.Reflection;

namespace KpiControl.Control.Rest;

/// <summary>Whether a text is a field's value: of a path, a query, or a number that JSON spells as a string.</summary>
internal static class ScalarText
{
    /// <returns>What was expected, or null where the text is fine.</returns>
    public static string? Fault(FieldDescriptor field, string text) => field.FieldType switch
    {
        FieldType.Bool => text is "true" or "false" ? null : "is neither true nor false",
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _) ? null : "is not a whole number",
        FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _) ? null : "is not a whole number",
        FieldType.UInt32 or FieldType.UInt64 or FieldType.Fixed32 or FieldType.Fixed64 => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _) ? null : "is not a whole number",
        FieldType.Double or FieldType.Float => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _) ? null : "is not a number",
        FieldType.Message when field.MessageType.FullName == "google.protobuf.Timestamp" => IsInstant(text) ? null : "is not an instant like 2026-01-31T02:00:00Z",
        FieldType.Message when field.MessageType.FullName == "google.protobuf.Duration" =>
            text.EndsWith('s') && decimal.TryParse(text[..^1], NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out _) ? null : "is not a duration like 90s",
        FieldType.Message or FieldType.Group => "cannot be written here",
        _ => null,
    };

    private static bool IsInstant(string text) => text.Length >= 20 && text[10] is 'T' or 't' && (text[^1] is 'Z' or 'z' || text[^6] is '+' or '-')
        && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out _);
}
