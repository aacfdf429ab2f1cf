using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Jobs.Plans;

/// <summary>What would become of a job on another version of its contract, with nothing else of it changed.</summary>
/// <param name="Findings">Of the job against that version, without those that it has on its own; paths into the artifact, no places.</param>
/// <param name="Breaking">What whoever uses its values would notice.</param>
public sealed record ContractMove(IReadOnlyList<Finding> Findings, IReadOnlyList<BreakingReason> Breaking)
{
    public bool Breaks => Breaking.Count > 0 || Findings.Any(finding => finding.Severity == Severity.Error);

    /// <param name="was">The version that the job names; null where it is not known.</param>
    /// <param name="to">Of the same KPI. One that is not active yet is looked at as if it were: nobody moves to it before.</param>
    public static ContractMove Of(JobArtifact job, MetricContract? was, MetricContract to)
    {
        var moved = job with { ContractVersion = to.Version };
        var next = to.Status is ContractStatus.Deprecated or ContractStatus.Retired ? to : to with { Status = ContractStatus.Active };
        // The status is what may move: of its own version the job is held against the rest.
        var known = was is null ? [] : ContractCheck.Check(job, was with { Status = ContractStatus.Active });
        return new ContractMove([.. ContractCheck.Check(moved, next).Except(known), .. LeftOver(job, was, to)], BreakingRules.Between(job, moved, was, to));
    }

    // Waiting for more than is computed from is allowed: it delays the job, and nothing breaks.
    private static IEnumerable<Finding> LeftOver(JobArtifact job, MetricContract? was, MetricContract to) => was is null ? [] :
    [
        .. was.GdpDependencies.Except(to.GdpDependencies).Intersect(job.Dependencies.Gdp).Select(table => Left("/dependencies/gdp", table)),
        .. was.KpiDependencies.Except(to.KpiDependencies).Intersect(job.Dependencies.Kpis).Select(kpi => Left("/dependencies/kpis", kpi.ToString())),
    ];

    private static Finding Left(string path, string name) => new(path, 0, 0, "contract.dependency_left", Severity.Warning,
        $"The contract would no longer be computed from {name}, and the job would still wait for it.", $"Take {name} out of {path[1..].Replace('/', '.')}.");
}
