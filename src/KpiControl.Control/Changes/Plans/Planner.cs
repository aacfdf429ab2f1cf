using KpiControl.Control.Authoring;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Changes.Plans;

/// <summary>What becomes of each job of a set; pure.</summary>
internal static class Planner
{
    /// <param name="bound">By job id: what the set names, and what is to be pruned.</param>
    /// <param name="facts">What validation looks at.</param>
    public static IReadOnlyList<PlanLine> Decide(PlanAsk ask, IReadOnlyDictionary<string, BoundState> bound, JobFacts facts)
    {
        var twice = ask.Artifacts.GroupBy(artifact => artifact.JobId).Where(group => group.Key.Length > 0 && group.Count() > 1).Select(group => group.Key).ToHashSet();
        var named = ask.JobIds.ToHashSet();
        return
        [
            .. ask.Artifacts.Select((artifact, i) => Decide(i, Check(ask, artifact, bound, facts, twice), bound.GetValueOrDefault(artifact.JobId), ask)),
            .. bound.Values.Where(state => !named.Contains(state.Binding.JobId)).OrderBy(state => state.Binding.JobId, StringComparer.Ordinal)
                .Select(state => new PlanLine(-1, ask.Prune == Prune.Pause ? PlanAction.Pause : PlanAction.Remove, null, state)),
        ];
    }

    private static PlanLine Decide(int artifact, CheckedJob job, BoundState? bound, PlanAsk ask) => new(artifact, ActionOf(job, bound, ask), job, bound);

    private static PlanAction ActionOf(CheckedJob job, BoundState? bound, PlanAsk ask) =>
        job.Findings.Any(finding => finding.Severity == Severity.Error) ? PlanAction.Invalid
        : bound is null || bound.Binding.IsUnreleased ? PlanAction.Create
        : bound.Binding.ContentHash != job.Reading.ContentHash ? PlanAction.Rebind
        : bound.Binding.ScheduleOverridden || bound.Binding.PrunedAt is not null || (ask.Source.Length > 0 && bound.Binding.Source != ask.Source) ? PlanAction.Update
        : PlanAction.Unchanged;

    private static CheckedJob Check(PlanAsk ask, ReadArtifact artifact, IReadOnlyDictionary<string, BoundState> bound, JobFacts facts, HashSet<string> twice)
    {
        // Another tenant's contracts and regions are not looked at.
        if (artifact.Reading.Remains is not { } job || job.Tenant != ask.Tenant)
            return new CheckedJob
            {
                Submission = artifact.Submission, Reading = artifact.Reading,
                Findings = artifact.Reading.Remains is { Tenant.Length: > 0 } other ? [.. artifact.Reading.Findings, OtherTenant(ask, other)] : artifact.Reading.Findings,
            };
        var there = bound.GetValueOrDefault(job.JobId)?.Binding;
        var region = there?.Region ?? (ask.Region.Length > 0 ? ask.Region : facts.Placement.HomeRegion);
        var checkedJob = JobCheck.Check(artifact.Submission with { Region = region ?? "" }, artifact.Reading, region, facts);
        return checkedJob with
        {
            Findings =
            [
                .. checkedJob.Findings,
                .. twice.Contains(job.JobId) ? [Error("/job_id", "plan.twice", $"The job {job.JobId} stands in the set more than once.", "Keep one of them.")] : Array.Empty<Finding>(),
                .. there is not null && ask.Region.Length > 0 && there.Region != ask.Region
                    ? [Error("", "plan.region", $"The job is bound in {there.Region}, and a binding does not move to {ask.Region}.", "Name no region, or give the other one a job_id of its own.")] : Array.Empty<Finding>(),
                .. there?.Source is { } source && ask.Source.Length > 0 && source != ask.Source
                    ? [new Finding("", 0, 0, "plan.source", Severity.Warning, $"{source} applied this job so far; from now on it would be {ask.Source}'s.", "Where both have it, each undoes what the other applies: take it out of one.")] : Array.Empty<Finding>(),
            ],
        };
    }

    private static Finding OtherTenant(PlanAsk ask, JobArtifact job) =>
        Error("/tenant", "plan.tenant", $"The job is {job.Tenant}'s, and the plan is of {ask.Tenant}.", "Plan each tenant's jobs by themselves.");

    private static Finding Error(string path, string rule, string message, string hint) => new(path, 0, 0, rule, Severity.Error, message, hint);
}
