namespace KpiControl.Jobs.Artifacts;

/// <summary>What came of reading an artifact.</summary>
public sealed record ArtifactReading
{
    /// <summary>The typed job, every default filled in; null when the text cannot be read or does not fit the schema.</summary>
    public JobArtifact? Job { get; init; }

    /// <summary>RFC 8785 text of what the artifact means; null together with <see cref="Job"/>.</summary>
    public string? CanonicalJson { get; init; }

    /// <summary><c>sha256:…</c> of <see cref="CanonicalJson"/>; null together with <see cref="Job"/>.</summary>
    public string? ContentHash { get; init; }

    /// <summary>All stages' findings, in the order of the stages and then of the text.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>Read, and no finding is an error.</summary>
    public bool IsValid => Job is not null && Findings.All(f => f.Severity != Severity.Error);
}
