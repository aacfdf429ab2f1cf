using System.Text;
using System.Text.Json;

namespace KpiControl.Jobs.Artifacts.Text;

/// <summary>JSON (RFC 8259, nothing beside it) to nodes with places.</summary>
internal ref struct JsonTextReader
{
    // One level more than is allowed, so that the refusal is ours and names the limit.
    private static readonly JsonReaderOptions Strict = new() { MaxDepth = ArtifactLimits.MaxDepth + 2 };

    private readonly ReadOnlySpan<byte> _bytes;
    private readonly DocumentBounds _bounds;
    private Utf8JsonReader _json;
    private int _offset, _line = 1, _column = 1;

    public JsonTextReader(ReadOnlySpan<byte> bytes, DocumentBounds bounds)
    {
        _bytes = bytes;
        _bounds = bounds;
        _json = new Utf8JsonReader(bytes, Strict);
    }

    public ArtifactNode? Read()
    {
        try
        {
            _json.Read();
            var root = ReadValue();
            if (root is not null) _json.Read();
            return root;
        }
        catch (JsonException e)
        {
            _bounds.Error("syntax.json", PlaceOf(e), Plain(e.Message));
            return null;
        }
    }

    private ArtifactNode? ReadValue()
    {
        var at = Here();
        if (!_bounds.Enter(at, isContainer: _json.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)) return null;
        return _json.TokenType switch
        {
            JsonTokenType.StartObject => ReadObject(at),
            JsonTokenType.StartArray => ReadArray(at),
            JsonTokenType.String => ArtifactNode.Of(ReadText(at), at),
            JsonTokenType.Number => ReadNumber(at),
            JsonTokenType.True => ArtifactNode.Of(true, at),
            JsonTokenType.False => ArtifactNode.Of(false, at),
            _ => ArtifactNode.Null(at),
        };
    }

    private ArtifactNode? ReadObject(TextPlace at)
    {
        var members = new List<ArtifactMember>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (_json.Read() && _json.TokenType != JsonTokenType.EndObject)
        {
            var nameAt = Here();
            var name = ReadText(nameAt);
            var accepted = _bounds.Accept(name, nameAt, seen);
            _json.Read();
            _bounds.Push(name);
            var value = ReadValue();
            _bounds.Pop();
            if (value is null) return null;
            if (accepted) members.Add(new(name, nameAt, value));
        }

        return ArtifactNode.Of(members, at);
    }

    private ArtifactNode? ReadArray(TextPlace at)
    {
        var items = new List<ArtifactNode>();
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            _bounds.Push($"{items.Count}");
            var item = ReadValue();
            _bounds.Pop();
            if (item is null) return null;
            items.Add(item);
        }

        return ArtifactNode.Of(items, at);
    }

    private readonly string ReadText(TextPlace at)
    {
        try
        {
            var text = _json.GetString()!;
            _bounds.CheckText(text, at);
            return text;
        }
        catch (InvalidOperationException)
        {
            _bounds.Error("syntax.control_character", at, "The text holds half of a surrogate pair (\\uD800 to \\uDFFF).", "Write both halves or the character itself.");
            return "";
        }
    }

    private readonly ArtifactNode ReadNumber(TextPlace at)
    {
        var survives = NumberText.TryRead(Encoding.ASCII.GetString(_json.ValueSpan), out var value);
        if (!survives) _bounds.RefuseNumber(at);
        return ArtifactNode.Of(survives ? value : 0, at);
    }

    /// <summary>The current token's place; tokens only go forward, so all places together cost one pass.</summary>
    private TextPlace Here()
    {
        Advance((int)_json.TokenStartIndex);
        return new(_line, _column);
    }

    private TextPlace PlaceOf(JsonException e)
    {
        var lineStart = 0;
        for (var line = e.LineNumber ?? 0; line > 0; line--) lineStart += _bytes[lineStart..].IndexOf((byte)'\n') + 1;
        (_offset, _line, _column) = (lineStart, (int)(e.LineNumber ?? 0) + 1, 1);
        Advance(Math.Min(_bytes.Length, lineStart + (int)(e.BytePositionInLine ?? 0)));
        return new(_line, _column);
    }

    private void Advance(int offset)
    {
        for (; _offset < offset; _offset++)
        {
            var b = _bytes[_offset];
            if (b == '\n') (_line, _column) = (_line + 1, 1);
            else if ((b & 0xC0) != 0x80) _column += b >= 0xF0 ? 2 : 1;
        }
    }

    private static string Plain(string message)
    {
        var end = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return "Not JSON: " + (end < 0 ? message : message[..end]).Replace(" which is not supported in this mode. Change the reader options.", ".", StringComparison.Ordinal);
    }
}
