namespace KpiControl.Jobs.Artifacts.Text;

/// <summary>Counts what a reader builds and names the place it is at; shared by the YAML and the JSON reader.</summary>
internal sealed class DocumentBounds(FindingList findings)
{
    private readonly List<string> _names = [];
    private int _nodes;

    public string Pointer => string.Concat(_names.Select(JsonPointer.Segment));

    /// <summary>False when the document ends here: too deep or too many values.</summary>
    public bool Enter(TextPlace at, bool isContainer)
    {
        if (isContainer && _names.Count >= ArtifactLimits.MaxDepth)
        {
            findings.Error("limits.depth", at, "", $"The document is nested deeper than {ArtifactLimits.MaxDepth} levels.");
            return false;
        }

        if (++_nodes <= ArtifactLimits.MaxNodes) return true;
        findings.Error("limits.nodes", at, "", $"The document has more than {ArtifactLimits.MaxNodes} values.");
        return false;
    }

    public void Push(string name) => _names.Add(name);

    public void Pop() => _names.RemoveAt(_names.Count - 1);

    public void Error(string rule, TextPlace at, string message, string hint = "") => findings.Error(rule, at, Pointer, message, hint);

    /// <summary>Names are short and unique; a refused one is reported and the reading goes on.</summary>
    public bool Accept(string name, TextPlace at, HashSet<string> seen)
    {
        if (name.Length > ArtifactLimits.MaxNameLength)
            Error("limits.name", at, $"A field name has {name.Length} characters; at most {ArtifactLimits.MaxNameLength} are read.");
        else if (!seen.Add(name))
            Error("syntax.duplicate_key", at, $"\"{name}\" stands twice in the same object.", "Keep one of them.");
        else return true;
        return false;
    }

    public void CheckText(string value, TextPlace at)
    {
        var forbidden = ArtifactText.IndexOfForbidden(value);
        if (forbidden >= 0)
            Error("syntax.control_character", at, $"The text holds the character {ArtifactText.NameOf(value[forbidden])}, which is not allowed in an artifact.", "Remove it.");
    }

    public void RefuseNumber(TextPlace at) =>
        Error("syntax.number", at, "This number cannot be kept exactly: not every reader would see the same one.", "Write it in quotes, or with fewer digits.");
}
