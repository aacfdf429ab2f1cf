using KpiControl.Jobs.Artifacts.Text;
using KpiControl.Jobs.Validation;

namespace KpiControl.Jobs.Artifacts;

/// <summary>What came of reading an artifact.</summary>
public sealed record ArtifactReading
{
    /// <summary>The typed job, every default filled in; null when the text cannot be read or does not fit the schema.</summary>
    public JobArtifact? Job { get; init; }

    /// <summary>
    /// What could be read where the schema refused a part, for further checks: refused members have their defaults, and
    /// required texts are empty. <see cref="Job"/> itself where nothing was refused; null where no document could be read.
    /// </summary>
    public JobArtifact? Remains { get; init; }

    internal BrokenParts Broken { get; init; } = BrokenParts.None;

    /// <summary>The tree that <see cref="Remains"/> was made from.</summary>
    internal ArtifactNode? SoundRoot { get; init; }

    /// <summary>RFC 8785 text of what the artifact means; null together with <see cref="Job"/>.</summary>
    public string? CanonicalJson { get; init; }

    /// <summary><c>sha256:…</c> of <see cref="CanonicalJson"/>; null together with <see cref="Job"/>.</summary>
    public string? ContentHash { get; init; }

    /// <summary>All stages' findings, in the order of the stages and then of the text.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>Findings about <see cref="Remains"/> as findings about the text: those that only follow from what the schema refused are left out.</summary>
    public IReadOnlyList<Finding> About(IEnumerable<Finding> remains) => SoundRoot is null ? [.. remains]
        : [.. remains.Select(f => f with { Path = SoundRoot.AuthoredPointer(f.Path) }).Where(f => !Broken.Explains(f))];

    /// <summary>Read, and no finding is an error.</summary>
    public bool IsValid => Job is not null && Findings.All(f => f.Severity != Severity.Error);
}
