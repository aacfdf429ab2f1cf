using KpiControl.Jobs.Validation;

namespace KpiControl.Jobs.Artifacts.Text;

/// <summary>Gathers findings up to a bound: a document of mistakes must not make an answer larger than itself.</summary>
internal sealed class FindingList
{
    private readonly List<Finding> _kept = [];
    private int _left;

    public bool HasErrors { get; private set; }

    public void Error(string rule, TextPlace at, string path, string message, string hint = "") =>
        Add(new Finding(path, at.Line, at.Column, rule, Severity.Error, message, hint));

    public void Error(string rule, ArtifactNode at, string message, string hint = "") =>
        Error(rule, at.Place, at.Pointer, message, hint);

    public void Warn(string rule, ArtifactNode at, string message, string hint = "") =>
        Add(new Finding(at.Pointer, at.Place.Line, at.Place.Column, rule, Severity.Warning, message, hint));

    private void Add(Finding finding)
    {
        HasErrors |= finding.Severity == Severity.Error;
        // An author's names and expressions are repeated, and one of them may be a secret in the wrong place.
        if (_kept.Count < ArtifactLimits.MaxFindings)
            _kept.Add(finding with { Path = SecretShapes.Redact(finding.Path), Message = SecretShapes.Redact(finding.Message), Hint = SecretShapes.Redact(finding.Hint) });
        else _left++;
    }

    public IReadOnlyList<Finding> ToList()
    {
        if (_left == 0) return [.. _kept];
        var severity = HasErrors ? Severity.Error : Severity.Warning;
        return [.. _kept, new Finding("", 0, 0, "limits.findings", severity, $"{_left} more findings are not shown.", "Mend those shown and check again.")];
    }
}
