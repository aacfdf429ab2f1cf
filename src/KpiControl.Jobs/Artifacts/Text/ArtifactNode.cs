using System.Globalization;
using System.Text.Json.Nodes;

namespace KpiControl.Jobs.Artifacts.Text;

internal enum NodeKind { Null, Boolean, Number, String, Array, Object }

/// <summary>A place in the authored text, both 1-based; the column counts UTF-16 units, as editors do.</summary>
internal readonly record struct TextPlace(int Line, int Column)
{
    public static TextPlace Start => new(1, 1);
}

/// <summary>A member of an object, with the place of its name.</summary>
internal sealed record ArtifactMember(string Name, TextPlace Place, ArtifactNode Value);

/// <summary>One value of a document, YAML or JSON alike, that remembers where it stands.</summary>
internal sealed class ArtifactNode
{
    private ArtifactNode(NodeKind kind, TextPlace place) => (Kind, Place) = (kind, place);

    public NodeKind Kind { get; }
    public TextPlace Place { get; }
    public string Text { get; private init; } = "";
    public double Number { get; private init; }
    public bool Boolean { get; private init; }
    public IReadOnlyList<ArtifactNode> Items { get; private init; } = [];
    public IReadOnlyList<ArtifactMember> Members { get; private init; } = [];

    private ArtifactNode? Parent { get; set; }
    private string Name { get; set; } = "";
    private ArtifactNode? CopyOf { get; init; }

    /// <summary>Of a copy that lacks something, the node as it was written.</summary>
    public ArtifactNode Authored => CopyOf ?? this;

    public static ArtifactNode Null(TextPlace at) => new(NodeKind.Null, at);
    public static ArtifactNode Of(bool value, TextPlace at) => new(NodeKind.Boolean, at) { Boolean = value };
    public static ArtifactNode Of(double value, TextPlace at) => new(NodeKind.Number, at) { Number = value };
    public static ArtifactNode Of(string value, TextPlace at) => new(NodeKind.String, at) { Text = value };

    public static ArtifactNode Of(IReadOnlyList<ArtifactNode> items, TextPlace at)
    {
        var array = new ArtifactNode(NodeKind.Array, at) { Items = items };
        for (var i = 0; i < items.Count; i++)
            (items[i].Parent, items[i].Name) = (array, i.ToString(CultureInfo.InvariantCulture));
        return array;
    }

    public static ArtifactNode Of(IReadOnlyList<ArtifactMember> members, TextPlace at)
    {
        var obj = new ArtifactNode(NodeKind.Object, at) { Members = members };
        foreach (var member in members) (member.Value.Parent, member.Value.Name) = (obj, member.Name);
        return obj;
    }

    /// <summary>JSON Pointer (RFC 6901); built when asked, so that a deep document costs nothing until it is wrong.</summary>
    public string Pointer
    {
        get
        {
            var names = new Stack<string>();
            for (var node = Authored; node.Parent is not null; node = node.Parent) names.Push(node.Name);
            return string.Concat(names.Select(JsonPointer.Segment));
        }
    }

    public ArtifactNode? this[string name]
    {
        get
        {
            foreach (var member in Members)
                if (member.Name == name) return member.Value;
            return null;
        }
    }

    /// <summary>The value at the end of a path of names; where one is absent, the last that is there.</summary>
    public ArtifactNode Nearest(params ReadOnlySpan<string> path)
    {
        var node = this;
        foreach (var name in path)
        {
            if (node[name] is not { } next) break;
            node = next;
        }

        return node;
    }

    /// <summary>The pointer in the authored text of what stands at a pointer here, and at whatever is absent below it.</summary>
    public string AuthoredPointer(string pointer)
    {
        var (node, names) = (this, pointer.Split('/').Skip(1).ToList());
        while (names.Count > 0 && node.At(names[0]) is { } next) (node, names) = (next, names[1..]);
        return string.Concat(names.Select(n => "/" + n).Prepend(node.Pointer));
    }

    /// <param name="segment">One segment of a JSON Pointer: a member's name or an index.</param>
    public ArtifactNode? At(string segment) =>
        this[JsonPointer.Name(segment)] ?? (int.TryParse(segment, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? Items.ElementAtOrDefault(index) : null);

    /// <summary>A copy that lacks some nodes; what is left keeps the places and pointers that it had.</summary>
    public ArtifactNode Without(IReadOnlySet<ArtifactNode> left) => Copy(
        [.. Items.Where(i => !left.Contains(i)).Select(i => i.Without(left))],
        [.. Members.Where(m => !left.Contains(m.Value)).Select(m => m with { Value = m.Value.Without(left) })]);

    /// <summary>A copy with one member more, which nobody wrote.</summary>
    public ArtifactNode With(ArtifactMember added) => Copy([], [.. Members, added]);

    private ArtifactNode Copy(ArtifactNode[] items, ArtifactMember[] members) => new(Kind, Place)
    {
        CopyOf = Authored, Text = Text, Number = Number, Boolean = Boolean, Items = items, Members = members,
    };

    public JsonNode? ToJson() => Kind switch
    {
        NodeKind.Boolean => JsonValue.Create(Boolean),
        NodeKind.Number => JsonValue.Create(Number),
        NodeKind.String => JsonValue.Create(Text),
        NodeKind.Array => new JsonArray([.. Items.Select(i => i.ToJson())]),
        NodeKind.Object => new JsonObject(Members.Select(m => KeyValuePair.Create(m.Name, m.Value.ToJson()))),
        _ => null,
    };
}
