using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Validation;

/// <summary>What stands twice in a set means nothing more, and is most likely a slip.</summary>
internal static class DuplicateRules
{
    public static void Check(ArtifactNode root, FindingList findings)
    {
        foreach (var field in JobFields.All.Where(f => f.Kind == FieldKind.Set))
            foreach (var set in Find([root], field.Pointer))
                CheckSet(set, findings);
    }

    private static IEnumerable<ArtifactNode> Find(IEnumerable<ArtifactNode> roots, string pointer) =>
        pointer[1..].Split('/').Aggregate(roots, (nodes, name) => name == "*" ? nodes.SelectMany(n => n.Items) : nodes.Select(n => n[name]).OfType<ArtifactNode>());

    private static void CheckSet(ArtifactNode set, FindingList findings)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var item in set.Items)
            if (!seen.Add(Jcs.Write(item.ToJson())))
                findings.Warn("meaning.duplicate", item, "This stands twice.", "Remove one of them.");
    }
}
