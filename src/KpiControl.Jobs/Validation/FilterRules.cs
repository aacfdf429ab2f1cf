using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Validation;

/// <summary>A filter's value has the shape that its operator takes.</summary>
internal static class FilterRules
{
    public static void Check(ArtifactNode root, FindingList findings)
    {
        foreach (var filter in root["runtime"]?["filters"]?.Items ?? [])
        {
            var value = filter["value"] is { Kind: not NodeKind.Null } written ? written : null;
            if (Expected(filter["op"]!.Text, value) is var (expected, hint))
                findings.Error("meaning.filter_value", value ?? filter, $"The operator {filter["op"]!.Text} takes {expected}.", hint);
        }
    }

    private static (string What, string Hint)? Expected(string op, ArtifactNode? value) => op switch
    {
        "is_null" or "is_not_null" => value is null ? null : ("no value", "Remove value."),
        "in" or "not_in" => value?.Kind == NodeKind.Array ? null : ("a list of values", "Write value: [first, second]."),
        "between" => value is { Kind: NodeKind.Array, Items.Count: 2 } ? null : ("a list of two values", "Write value: [lowest, highest]."),
        "like" => value?.Kind == NodeKind.String ? null : ("text", "Write value: \"part%\"."),
        _ => value is { Kind: not NodeKind.Array } ? null : ("one value", value is null ? "Add value." : "Write one value, or op: in for a list."),
    };
}
