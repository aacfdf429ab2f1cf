using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Artifacts;

/// <summary>
/// What an artifact means, without how it was written: durations have one spelling, members that are null, empty or
/// equal to their default are gone, sets are sorted. Nodes keep their places, so that later findings still point at the text.
/// </summary>
/// <remarks>Removing defaults, rather than filling them in, lets the schema gain optional fields without changing any hash.</remarks>
internal static class CanonicalForm
{
    public static ArtifactNode Of(ArtifactNode root) => Normalise(WithVersionAsText(root), "");

    /// <summary>An unquoted 1.0 reads as a number, here alone meant as text; a tool that knows no 1.0 beside 1 has even written 1.</summary>
    public static ArtifactNode WithVersionAsText(ArtifactNode root) =>
        root["schema_version"] is not { Kind: NodeKind.Number, Number: 1 } version ? root
            : ArtifactNode.Of([.. root.Members.Select(m => m.Value == version ? m with { Value = ArtifactNode.Of("1.0", version.Place) } : m)], root.Place);

    private static ArtifactNode Normalise(ArtifactNode node, string pointer)
    {
        var kind = JobFields.Find(pointer)?.Kind ?? FieldKind.Plain;
        return node.Kind switch
        {
            NodeKind.Object => NormaliseObject(node, pointer, kind),
            NodeKind.Array => NormaliseArray(node, pointer, kind),
            NodeKind.String when kind is FieldKind.Duration or FieldKind.Target => ArtifactNode.Of(Durations.Canonical(node.Text), node.Place),
            _ => Copy(node),
        };
    }

    private static ArtifactNode NormaliseObject(ArtifactNode node, string pointer, FieldKind kind)
    {
        var members = new List<ArtifactMember>();
        foreach (var member in node.Members)
        {
            var at = PointerTo(pointer, member.Name);
            var value = Normalise(member.Value, at);
            if (IsNothing(value) || IsDefault(value, at)) continue;
            members.Add(member with { Value = value });
        }

        if (kind == FieldKind.Target) members.RemoveAll(m => m.Name == "grace" && IsDefaultGrace(m.Value, members));
        return kind == FieldKind.Target && members is [{ Name: "target" } only] ? Copy(only.Value) : ArtifactNode.Of(members, node.Place);
    }

    private static ArtifactNode NormaliseArray(ArtifactNode node, string pointer, FieldKind kind)
    {
        var items = node.Items.Select(i => Normalise(i, pointer + "/*"));
        if (kind == FieldKind.Set)
            items = items.Select(i => (Item: i, Text: Jcs.Write(i.ToJson()))).DistinctBy(i => i.Text, StringComparer.Ordinal)
                .OrderBy(i => i.Text, StringComparer.Ordinal).Select(i => i.Item);
        return ArtifactNode.Of([.. items], node.Place);
    }

    private static string PointerTo(string parent, string name) =>
        JobFields.Find(parent + "/*") is null ? parent + JsonPointer.Segment(name) : parent + "/*";

    private static bool IsNothing(ArtifactNode value) =>
        value.Kind == NodeKind.Null || value is { Kind: NodeKind.Array, Items.Count: 0 } or { Kind: NodeKind.Object, Members.Count: 0 };

    private static bool IsDefault(ArtifactNode value, string pointer) =>
        JobFields.Find(pointer)?.Default is { } text && Jcs.Write(value.ToJson()) == text;

    private static bool IsDefaultGrace(ArtifactNode grace, List<ArtifactMember> members) =>
        members.Find(m => m.Name == "target") is { } target && Durations.TryParse(target.Value.Text, out var length)
        && grace.Text == Durations.Format(JobFields.DefaultGrace(length));

    /// <summary>A node belongs to one tree: a second parent would change the first one's pointers.</summary>
    private static ArtifactNode Copy(ArtifactNode node) => node.Kind switch
    {
        NodeKind.Boolean => ArtifactNode.Of(node.Boolean, node.Place),
        NodeKind.Number => ArtifactNode.Of(node.Number, node.Place),
        NodeKind.String => ArtifactNode.Of(node.Text, node.Place),
        _ => ArtifactNode.Null(node.Place),
    };
}
