using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>The bound parameters of one statement, numbered as they are first written.</summary>
internal sealed class SqlParameters
{
    private readonly List<object> values = [];
    private readonly Dictionary<string, string> named = [];

    public IReadOnlyList<object> Values => values;

    public string Add(object value)
    {
        values.Add(value);
        return $"${values.Count.ToString(CultureInfo.InvariantCulture)}";
    }

    /// <summary>One place for a value that is written often.</summary>
    public string Named(string name, object value) => named.TryGetValue(name, out var place) ? place : named[name] = Add(value);

    /// <summary>A filter's value as the field's type; null where it is not of that type.</summary>
    public static object? Convert(JsonNode? value, string dataType)
    {
        if (value is not JsonValue scalar)
            return null;
        var kind = scalar.GetValueKind();
        var text = kind == JsonValueKind.String ? scalar.GetValue<string>() : scalar.ToJsonString();
        return dataType.ToUpperInvariant() switch
        {
            "VARCHAR" when kind == JsonValueKind.String => text,
            "INTEGER" or "BIGINT" when kind == JsonValueKind.Number && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => whole,
            "DOUBLE" when kind == JsonValueKind.Number => scalar.GetValue<double>(),
            "DECIMAL" when kind == JsonValueKind.Number && decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => number,
            "BOOLEAN" when kind is JsonValueKind.True or JsonValueKind.False => kind == JsonValueKind.True,
            "DATE" when kind == JsonValueKind.String && DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day) => day,
            "TIMESTAMP" when kind == JsonValueKind.String && DateTime.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal, out var instant) => DateTime.SpecifyKind(instant, DateTimeKind.Unspecified),
            _ => null,
        };
    }
}
