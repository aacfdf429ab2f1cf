using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Validation;

/// <summary>
/// The stage <em>secrets</em>: no literal that looks like one, in values, names, <c>x-…</c> fields and comments alike.
/// Findings say where and what kind, never what.
/// </summary>
internal sealed class SecretScan(FindingList findings)
{
    private const string Hint = "Take it out and revoke it where it was issued. A job names a connection (run.conn_id); the agent knows its credentials.";

    private readonly HashSet<string> _found = new(StringComparer.Ordinal);

    /// <param name="root">Null where the text could not be read; then the text alone is looked at.</param>
    public static void Check(ArtifactNode? root, string text, FindingList findings)
    {
        var scan = new SecretScan(findings);
        if (root is not null) scan.Walk(root, "");
        scan.Rest(text);
    }

    private void Walk(ArtifactNode node, string name)
    {
        foreach (var item in node.Items) Walk(item, name);
        foreach (var member in node.Members)
        {
            Shapes(member.Name, member.Place, node.Pointer);
            Walk(member.Value, NameOf(node, member));
        }

        var value = node.Kind switch { NodeKind.String => node.Text, NodeKind.Number => Jcs.Number(node.Number), _ => "" };
        if (!Shapes(value, node.Place, node.Pointer) && SecretNames.Betrays(name, value))
            findings.Error("secrets.named", node, "This looks like a secret, by the name it stands under.", Hint);
    }

    /// <summary>In a pair such as <c>{ field: password, value: … }</c> the name of the value is the other member's text.</summary>
    private static string NameOf(ArtifactNode owner, ArtifactMember member) =>
        member.Name == "value" && (owner["field"] ?? owner["name"] ?? owner["key"]) is { Kind: NodeKind.String } named ? named.Text : member.Name;

    private bool Shapes(string text, TextPlace at, string pointer)
    {
        var any = false;
        foreach (var match in SecretShapes.In(text))
        {
            any = true;
            _found.Add(match.Text);
            findings.Error(match.Rule, at, pointer, $"This looks like {match.What}.", Hint);
        }

        return any;
    }

    /// <summary>What stands in the text and in no value: comments, and documents that could not be read.</summary>
    private void Rest(string text)
    {
        foreach (var match in SecretShapes.In(text))
            if (_found.Add(match.Text)) findings.Error(match.Rule, ArtifactText.PlaceOf(text.AsSpan(0, match.Index)), "", $"This looks like {match.What}.", Hint);
    }
}
