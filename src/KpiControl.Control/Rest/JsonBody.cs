using System.Globalization;
using System.Text;
using System.Text.Json;
using Google.Protobuf.Reflection;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Rest;

/// <summary>
/// Holds a JSON body against the message that it is to become, strictly: the transcoding's own reader passes over
/// unknown members, takes the last of two, and says little of what it refuses.
/// </summary>
internal sealed class JsonBody
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly byte[] text;
    private readonly FieldFaults faults = new();

    private readonly string otherwise;

    private JsonBody(byte[] text, string otherwise) => (this.text, this.otherwise) = (text, otherwise);

    /// <summary>Throws the caller's mistakes, all of them.</summary>
    /// <param name="otherwise">What else might have been meant, where it is no JSON at all.</param>
    public static void Check(byte[] text, MessageDescriptor type, string otherwise = "")
    {
        var body = new JsonBody(text, otherwise);
        body.Read(type);
        body.faults.ThrowIfAny();
    }

    /// <summary>The names of the root object's members; empty where the text is no JSON object.</summary>
    public static IReadOnlySet<string> RootNames(byte[] text)
    {
        var names = new HashSet<string>();
        try
        {
            var reader = new Utf8JsonReader(text);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return names;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                names.Add(reader.GetString()!);
                reader.Skip();
            }
        }
        catch (Exception refused) when (refused is JsonException or InvalidOperationException)
        {
            // Whoever reads it next says what is wrong with it.
        }
        return names;
    }

    /// <summary>Strict UTF-8, without a byte order mark.</summary>
    public static string Decode(byte[] bytes)
    {
        try
        {
            return Strict.GetString(bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes.AsSpan(3) : bytes);
        }
        catch (DecoderFallbackException refused)
        {
            throw Reject.Invalid("body", string.Create(CultureInfo.InvariantCulture, $"is not UTF-8 from byte {refused.Index + 1} on"));
        }
    }

    private void Read(MessageDescriptor type)
    {
        var reader = new Utf8JsonReader(text);
        try
        {
            reader.Read();
            Object(ref reader, type, "");
            while (reader.Read())
            {
            }
        }
        catch (JsonException refused)
        {
            throw Reject.Invalid("body", string.Create(CultureInfo.InvariantCulture,
                $"is not JSON at line {(refused.LineNumber ?? 0) + 1}, column {(refused.BytePositionInLine ?? 0) + 1}: {Short(refused.Message)}{otherwise}"));
        }
        catch (InvalidOperationException)
        {
            throw Reject.Invalid("body", $"holds a text that is not valid Unicode{Where(ref reader)}");
        }
    }

    private void Object(ref Utf8JsonReader reader, MessageDescriptor type, string path)
    {
        if (!Is(ref reader, JsonTokenType.StartObject, path, "an object"))
            return;
        var seen = new HashSet<string>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var name = reader.GetString()!;
            var at = path.Length == 0 ? name : $"{path}.{name}";
            if (!seen.Add(name))
                faults.Add(at, $"stands twice{Where(ref reader)}");
            var field = type.FindFieldByName(name);
            if (field is null)
            {
                faults.Unknown(at, name, type, Where(ref reader));
                reader.Skip();
                continue;
            }
            reader.Read();
            if (field.IsMap)
                Map(ref reader, field, at);
            else if (field.IsRepeated)
                Array(ref reader, field, at);
            else
                Value(ref reader, field, at);
        }
    }

    private void Map(ref Utf8JsonReader reader, FieldDescriptor field, string path)
    {
        if (reader.TokenType == JsonTokenType.Null || !Is(ref reader, JsonTokenType.StartObject, path, "an object"))
            return;
        var seen = new HashSet<string>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var key = reader.GetString()!;
            if (!seen.Add(key))
                faults.Add($"{path}.{key}", $"stands twice{Where(ref reader)}");
            reader.Read();
            Value(ref reader, field.MessageType.FindFieldByNumber(2), $"{path}.{key}");
        }
    }

    private void Array(ref Utf8JsonReader reader, FieldDescriptor field, string path)
    {
        if (reader.TokenType == JsonTokenType.Null || !Is(ref reader, JsonTokenType.StartArray, path, "a list"))
            return;
        for (var n = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; n++)
            Value(ref reader, field, string.Create(CultureInfo.InvariantCulture, $"{path}[{n}]"));
    }

    private void Value(ref Utf8JsonReader reader, FieldDescriptor field, string path)
    {
        if (reader.TokenType == JsonTokenType.Null)
            return;
        switch (field.FieldType)
        {
            case FieldType.Message when field.MessageType.FullName is "google.protobuf.Timestamp" or "google.protobuf.Duration":
                Text(ref reader, field, path);
                break;
            case FieldType.Message when field.MessageType.File.Package == "google.protobuf":
                reader.Skip();
                break;
            case FieldType.Message:
                Object(ref reader, field.MessageType, path);
                break;
            case FieldType.Bool:
                if (reader.TokenType is not (JsonTokenType.True or JsonTokenType.False))
                    Wrong(ref reader, path, "true or false");
                break;
            case FieldType.String or FieldType.Bytes:
                if (Is(ref reader, JsonTokenType.String, path, "a text"))
                    _ = reader.GetString();
                break;
            case FieldType.Enum:
                if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.Number))
                    Wrong(ref reader, path, "a text");
                break;
            default:
                Number(ref reader, field, path);
                break;
        }
    }

    private void Text(ref Utf8JsonReader reader, FieldDescriptor field, string path)
    {
        if (Is(ref reader, JsonTokenType.String, path, "a text") && ScalarText.Fault(field, reader.GetString()!) is { } fault)
            faults.Add(path, fault + Where(ref reader));
    }

    // Proto3's JSON also takes a number that is spelt as a text.
    private void Number(ref Utf8JsonReader reader, FieldDescriptor field, string path)
    {
        var written = reader.TokenType switch
        {
            JsonTokenType.Number => Encoding.UTF8.GetString(reader.ValueSpan),
            JsonTokenType.String => reader.GetString()!,
            _ => null,
        };
        if (written is null)
            Wrong(ref reader, path, "a number");
        else if (ScalarText.Fault(field, written) is { } fault)
            faults.Add(path, fault + Where(ref reader));
    }

    private bool Is(ref Utf8JsonReader reader, JsonTokenType expected, string path, string words)
    {
        if (reader.TokenType == expected)
            return true;
        Wrong(ref reader, path, words);
        return false;
    }

    private void Wrong(ref Utf8JsonReader reader, string path, string expected)
    {
        faults.Add(path.Length == 0 ? "body" : path, $"must be {expected}{Where(ref reader)}");
        reader.Skip();
    }

    private string Where(ref Utf8JsonReader reader)
    {
        var before = text.AsSpan(0, (int)reader.TokenStartIndex);
        var line = before.Count((byte)'\n') + 1;
        return string.Create(CultureInfo.InvariantCulture, $" (line {line}, column {before.Length - (before.LastIndexOf((byte)'\n') + 1) + 1})");
    }

    private static string Short(string message)
    {
        var at = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return at < 0 ? message : message[..at];
    }
}
