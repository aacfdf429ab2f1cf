using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Contracts;

/// <summary>What came of reading a metric contract.</summary>
public sealed record ContractReading
{
    /// <summary>Null when any finding is an error.</summary>
    public MetricContract? Contract { get; init; }

    /// <summary>RFC 8785 text of the document as written, but for <c>header.status</c>, which moves while the version stands; null together with <see cref="Contract"/>.</summary>
    public string? CanonicalJson { get; init; }

    /// <summary><c>sha256:…</c> of <see cref="CanonicalJson"/>.</summary>
    public string? Digest { get; init; }

    public required IReadOnlyList<Finding> Findings { get; init; }
}
