using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;
using NJsonSchema.Validation;

namespace KpiControl.Jobs.Validation;

/// <summary>
/// What the schema refused of a document. The later stages look at the rest, and <see cref="Explains"/> tells a finding of
/// theirs that would vanish with what was refused: an author is told of each mistake, and of none twice.
/// </summary>
internal sealed class BrokenParts
{
    private static readonly string[] Required = ["job_id", "tenant", "kpi_id", "contract_version"];

    private readonly HashSet<ArtifactNode> _nodes = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<string> _pointers = new(StringComparer.Ordinal);
    private readonly HashSet<string> _around = new(StringComparer.Ordinal);

    private BrokenParts()
    {
    }

    public static BrokenParts None { get; } = new();

    public bool Any => _pointers.Count > 0;

    /// <param name="look">What the schema refuses of a tree: of one without its broken parts, it can be that these are missed.</param>
    public static BrokenParts Of(ArtifactNode root, IReadOnlyList<SchemaMistake> mistakes, Func<ArtifactNode, IReadOnlyList<SchemaMistake>> look)
    {
        var broken = new BrokenParts();
        for (var known = -1; known < broken._nodes.Count;)
        {
            known = broken._nodes.Count;
            foreach (var mistake in mistakes) broken.Add(root, mistake);
            if (broken._nodes.Count > known && !broken._nodes.Contains(root)) mistakes = look(root.Without(broken._nodes));
        }

        return broken;
    }

    /// <summary>The document without what was refused, and with what a job cannot be without; null where nothing is left.</summary>
    public ArtifactNode? Sound(ArtifactNode root)
    {
        if (!Any) return root;
        if (_nodes.Contains(root)) return null;
        var rest = root.Without(_nodes);
        return ArtifactNode.Of(
        [
            .. rest.Members.Where(m => m.Name != "schedule"), new ArtifactMember("schedule", rest.Place, Schedule(rest)),
            .. Required.Where(name => rest[name] is null).Select(name => new ArtifactMember(name, rest.Place, ArtifactNode.Of("", rest.Place))),
        ], rest.Place);
    }

    /// <summary>Whoever wrote an expression meant cron.</summary>
    private static ArtifactNode Schedule(ArtifactNode rest)
    {
        if (rest["schedule"] is not { } written) return ArtifactNode.Of([Type("manual")], rest.Place);
        return written["type"] is null ? written.With(Type(written["expression"] is null ? "manual" : "cron")) : written;

        ArtifactMember Type(string type) => new("type", rest.Place, ArtifactNode.Of(type, rest.Place));
    }

    public bool Explains(Finding finding) => Any && (IsIn(finding.Path) || RuleInputs.Of(finding).Any(p => _around.Contains(p) || IsIn(p)));

    private bool IsIn(string pointer)
    {
        for (var at = pointer; ; at = at[..at.LastIndexOf('/')])
        {
            if (_pointers.Contains(at)) return true;
            if (at.Length == 0) return false;
        }
    }

    private void Add(ArtifactNode root, SchemaMistake mistake)
    {
        var (node, name) = (mistake.Node.Authored, mistake.Error.Property);
        if (mistake.Owner is { } owner && name is not null) AddUnknown(owner.Authored, name, mistake.Error);
        else if (mistake.IsType || mistake.Error.Kind != ValidationErrorKind.PropertyRequired) Add(node);
        else if (node == root || node == root["schedule"]) Add(node.Pointer + JsonPointer.Segment(name!));
        else Add(node);
    }

    /// <summary>A misspelt name is as good as a broken value of the one that was meant.</summary>
    private void AddUnknown(ArtifactNode owner, string name, ValidationError error)
    {
        Add(owner[name]!);
        if (NearestName.Of(name, error.Schema.ActualSchema.Properties.Keys) is { } meant) Add(owner.Pointer + JsonPointer.Segment(meant));
    }

    private void Add(ArtifactNode node)
    {
        _nodes.Add(node);
        Add(node.Pointer);
    }

    private void Add(string pointer)
    {
        _pointers.Add(pointer);
        for (var at = pointer; at.Length > 0; at = at[..at.LastIndexOf('/')]) _around.Add(at);
    }
}
