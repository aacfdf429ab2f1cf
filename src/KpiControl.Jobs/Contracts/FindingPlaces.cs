using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Contracts;

/// <summary>Gives findings that were made about a meaning their line and column in the text that it was read from.</summary>
public static class FindingPlaces
{
    /// <summary>A finding about something absent is placed at the nearest thing around it that is there; one about no field of the text stays without.</summary>
    public static IReadOnlyList<Finding> Fill(IReadOnlyList<Finding> findings, ReadOnlyMemory<byte> text, ArtifactFormat format)
    {
        if (findings.All(finding => finding.Line > 0)) return findings;
        if (DocumentReader.Read(text.Span, format, new FindingList(), out _) is not { } root) return findings;
        return [.. findings.Select(finding => finding.Line > 0 || finding.Path.Length == 0 ? finding : Place(finding, root))];
    }

    private static Finding Place(Finding finding, ArtifactNode root)
    {
        var (node, place) = (root, root.Place);
        foreach (var name in finding.Path.Split('/').Skip(1).Select(JsonPointer.Name))
        {
            var member = node.Members.FirstOrDefault(m => m.Name == name);
            var item = member?.Value ?? (int.TryParse(name, out var index) && index >= 0 ? node.Items.ElementAtOrDefault(index) : null);
            if (item is null) break;
            (node, place) = (item, member is { Value.Kind: NodeKind.Object or NodeKind.Array } ? member.Place : item.Place);
        }
        return finding with { Line = place.Line, Column = place.Column };
    }
}
