using KpiControl.Jobs.Validation;

namespace KpiControl.Jobs.Artifacts.Text;

/// <summary>Gathers findings up to a bound: a document of mistakes must not make an answer larger than itself.</summary>
internal sealed class FindingList
{
    private static readonly string[] Stages = ["limits", "syntax", "schema", "meaning", "unsupported", "secrets"];

    private readonly List<Finding> _kept = [];
    private int _left;

    public bool HasErrors { get; private set; }

    /// <summary>What the schema refused: findings that only follow from it are left out.</summary>
    public BrokenParts Broken { get; set; } = BrokenParts.None;

    /// <summary>No finding more is kept: what is still found is worth no more than its count (<see cref="LeaveOutError"/>).</summary>
    public bool IsFull => _kept.Count >= ArtifactLimits.MaxFindings;

    public void Error(string rule, TextPlace at, string path, string message, string hint = "") =>
        Add(new Finding(path, at.Line, at.Column, rule, Severity.Error, message, hint));

    public void Error(string rule, ArtifactNode at, string message, string hint = "") =>
        Error(rule, at.Place, at.Pointer, message, hint);

    public void Warn(string rule, ArtifactNode at, string message, string hint = "") =>
        Add(new Finding(at.Pointer, at.Place.Line, at.Place.Column, rule, Severity.Warning, message, hint));

    public void LeaveOutError() => (_left, HasErrors) = (_left + 1, true);

    private void Add(Finding finding)
    {
        if (Broken.Explains(finding)) return;
        HasErrors |= finding.Severity == Severity.Error;
        // An author's names and expressions are repeated, and one of them may be a secret in the wrong place.
        if (!IsFull)
            _kept.Add(finding with { Path = SecretShapes.Redact(finding.Path), Message = SecretShapes.Redact(finding.Message), Hint = SecretShapes.Redact(finding.Hint) });
        else _left++;
    }

    /// <summary>In the order of the stages, and within one in the order of the text.</summary>
    public IReadOnlyList<Finding> ToList()
    {
        var ordered = _kept.OrderBy(f => Array.IndexOf(Stages, f.Rule[..f.Rule.IndexOf('.')])).ThenBy(f => f.Line).ThenBy(f => f.Column);
        if (_left == 0) return [.. ordered];
        var severity = HasErrors ? Severity.Error : Severity.Warning;
        return [.. ordered, new Finding("", 0, 0, "limits.findings", severity, $"{_left} more findings are not shown.", "Mend those shown and check again.")];
    }
}
