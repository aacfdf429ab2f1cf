namespace KpiControl.Jobs.Evidence;

/// <summary>What became of looking at a bundle.</summary>
/// <param name="Finding">The first thing that does not fit; null: everything does.</param>
/// <param name="KeyId">The key that signed.</param>
/// <param name="Statement">What was signed; null where the signature does not fit.</param>
/// <param name="Runs">Empty where something does not fit: nothing is told of what cannot be relied on.</param>
public sealed record EvidenceVerdict(string? Finding, string KeyId, EvidenceStatement? Statement, IReadOnlyList<EvidencedRun> Runs, int Documents)
{
    internal static EvidenceVerdict Of(string finding) => new(finding, "", null, [], 0);
}

/// <summary>A run whose evidence fits, for a reader.</summary>
/// <param name="Approvers">As <c>business: ann</c> or <c>break-glass: bea</c>; empty where policy asked for none.</param>
/// <param name="Sources">As <c>GDP_Sales@2026.03</c>.</param>
/// <param name="RestatesRunId">The run whose number it restates, which stands as it was reported; null: it reports.</param>
public sealed record EvidencedRun(
    string RunId, string Job, string BusinessDate, string Status, string ContentHash, IReadOnlyList<string> Approvers, string Agent, IReadOnlyList<string> Sources, string? SlaBreached,
    EvidencedBreakGlass? BreakGlass, string? RestatesRunId);

/// <summary>What could not wait for its owners or a window, and what became of the review.</summary>
/// <param name="ClosedBy">Null: the review was open at the export.</param>
public sealed record EvidencedBreakGlass(string ChangeId, string Reason, string? ClosedBy, string? Comment);
