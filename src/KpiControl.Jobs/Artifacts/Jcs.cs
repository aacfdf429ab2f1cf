using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Artifacts;

/// <summary>RFC 8785, the JSON Canonicalization Scheme: one spelling of a JSON value, whoever writes it.</summary>
public static class Jcs
{
    /// <exception cref="ArgumentException">A number that is not finite; JSON has none.</exception>
    public static string Write(JsonNode? value)
    {
        var text = new StringBuilder();
        Write(value, text);
        return text.ToString();
    }

    private static void Write(JsonNode? value, StringBuilder text)
    {
        switch (value)
        {
            case null: text.Append("null"); break;
            case JsonObject o: WriteObject(o, text); break;
            case JsonArray a: WriteArray(a, text); break;
            default: WriteScalar(value.AsValue(), text); break;
        }
    }

    private static void WriteObject(JsonObject members, StringBuilder text)
    {
        text.Append('{');
        // Ordinal is the order of UTF-16 code units, which the RFC asks for.
        foreach (var (i, (name, value)) in members.OrderBy(m => m.Key, StringComparer.Ordinal).Index())
        {
            if (i > 0) text.Append(',');
            WriteText(name, text);
            text.Append(':');
            Write(value, text);
        }

        text.Append('}');
    }

    private static void WriteArray(JsonArray items, StringBuilder text)
    {
        text.Append('[');
        foreach (var (i, item) in items.Index())
        {
            if (i > 0) text.Append(',');
            Write(item, text);
        }

        text.Append(']');
    }

    private static void WriteScalar(JsonValue value, StringBuilder text)
    {
        switch (value.GetValueKind())
        {
            case JsonValueKind.String: WriteText(value.GetValue<string>(), text); break;
            case JsonValueKind.True: text.Append("true"); break;
            case JsonValueKind.False: text.Append("false"); break;
            default: text.Append(Number(double.Parse(value.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture))); break;
        }
    }

    private static void WriteText(string value, StringBuilder text)
    {
        text.Append('"');
        foreach (var c in value)
        {
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                < ' ' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        }

        text.Append('"');
    }

    /// <summary>As ECMAScript writes a number (Number::toString): the shortest digits that give it back, plain from 1e-6 to below 1e21.</summary>
    public static string Number(double value)
    {
        if (!double.IsFinite(value)) throw new ArgumentException("JSON has no such number.", nameof(value));
        if (value == 0) return "0";
        var sign = value < 0 ? "-" : "";
        var (digits, exponent) = NumberText.Significant(Math.Abs(value).ToString("R", CultureInfo.InvariantCulture));
        var point = (int)exponent + digits.Length;
        return sign + point switch
        {
            > 21 or <= -6 => Scientific(digits, point - 1),
            <= 0 => "0." + new string('0', -point) + digits,
            _ when point >= digits.Length => digits.PadRight(point, '0'),
            _ => $"{digits[..point]}.{digits[point..]}",
        };
    }

    private static string Scientific(string digits, int exponent) => string.Create(CultureInfo.InvariantCulture,
        $"{digits[0]}{(digits.Length > 1 ? "." : "")}{digits[1..]}e{(exponent < 0 ? "-" : "+")}{Math.Abs(exponent)}");
}
