using System.Text.Json.Nodes;

namespace KpiControl.Jobs.Artifacts;

/// <summary>A field that differs between two artifacts.</summary>
/// <param name="Path">JSON Pointer.</param>
/// <param name="Before">JSON; null where it was not there.</param>
/// <param name="After">JSON; null where it is gone.</param>
public sealed record FieldDifference(string Path, string? Before, string? After);

/// <summary>What two artifacts mean differently, field by field.</summary>
public static class ArtifactDiff
{
    /// <summary>In the order of their paths. Lists are compared whole: an entry has no identity but its place.</summary>
    /// <param name="before">Canonical JSON; null where there was no artifact.</param>
    /// <param name="after">Canonical JSON.</param>
    public static IReadOnlyList<FieldDifference> Between(string? before, string after)
    {
        var was = before is null ? [] : Leaves(JsonNode.Parse(before)!, "").ToDictionary(leaf => leaf.Path, leaf => leaf.Json, StringComparer.Ordinal);
        var now = Leaves(JsonNode.Parse(after)!, "").ToDictionary(leaf => leaf.Path, leaf => leaf.Json, StringComparer.Ordinal);
        return [.. was.Keys.Union(now.Keys).Order(StringComparer.Ordinal)
            .Select(path => new FieldDifference(path, was.GetValueOrDefault(path), now.GetValueOrDefault(path)))
            .Where(difference => difference.Before != difference.After)];
    }

    private static IEnumerable<(string Path, string Json)> Leaves(JsonNode? node, string path) => node is JsonObject { Count: > 0 } members
        ? members.SelectMany(member => Leaves(member.Value, $"{path}/{member.Key.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}"))
        : [(path, Jcs.Write(node))];
}
