using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Control.Changes;

/// <summary>Who must agree to a change, and whether somebody may; pure.</summary>
internal static class Approvals
{
    public const string Business = "business", Technical = "technical";

    /// <summary>A business and a technical owner of what is bound now, of a first binding the contract's; where owners change, the new ones too.</summary>
    /// <param name="bound">Null: a first binding.</param>
    /// <param name="boundContract">Supplies the owners that <paramref name="bound"/> leaves out.</param>
    public static IReadOnlyList<ApprovalNeed> Needed(JobArtifact? bound, MetricContract? boundContract, JobArtifact proposed, MetricContract contract)
    {
        IEnumerable<ApprovalNeed> now = bound is null
            ? [new(Business, contract.OwnerBusiness ?? ""), new(Technical, contract.OwnerTechnical ?? "")]
            : Owners(bound, boundContract);
        return [.. now.Concat(Owners(proposed, contract)).Distinct().OrderBy(need => need.Capacity, StringComparer.Ordinal).ThenBy(need => need.Principal, StringComparer.Ordinal)];
    }

    /// <summary>The needs that are still open: each decision meets one, and each person one at most.</summary>
    public static IReadOnlyList<ApprovalNeed> Missing(IReadOnlyList<ApprovalNeed> needs, IEnumerable<DecisionRow> decisions)
    {
        var given = decisions.Where(decision => decision.Decision == "approve").ToList();
        return [.. needs.Where(need => GivenBy(need, given) is null)];
    }

    /// <summary>Null while it is missing.</summary>
    public static string? GivenBy(ApprovalNeed need, IEnumerable<DecisionRow> decisions) =>
        decisions.FirstOrDefault(d => d.Decision == "approve" && d.Capacity == need.Capacity && (need.Principal.Length == 0 || need.Principal == d.Principal))?.Principal;

    /// <summary>The capacity in which a caller would meet one of the needs; null where none is theirs to meet.</summary>
    public static string? CapacityOf(Caller caller, string tenant, string environment, IEnumerable<ApprovalNeed> needs) =>
        needs.FirstOrDefault(need => (need.Principal.Length == 0 || need.Principal == caller.Principal)
            && caller.Holds($"approver_{need.Capacity}", tenant, environment))?.Capacity;

    private static IEnumerable<ApprovalNeed> Owners(JobArtifact job, MetricContract? contract) =>
    [
        new(Business, job.Owners?.Business ?? contract?.OwnerBusiness ?? ""),
        new(Technical, job.Owners?.Technical ?? contract?.OwnerTechnical ?? ""),
    ];
}
