using System.Globalization;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Runs;

namespace KpiControl.Jobs.Plans;

/// <summary>Why whoever uses a job's values would notice that another definition is in force.</summary>
/// <param name="Rule">As in <c>breaking.contract_major</c>.</param>
/// <param name="Path">JSON Pointer into the artifact.</param>
public sealed record BreakingReason(string Rule, string Path, string Message);

/// <summary>
/// What breaks those who use a job's values: another meaning of the number, fewer columns, other rows, other days. What only makes
/// it later, slower or dearer is told by its <see cref="PromiseEffects"/>.
/// </summary>
public static class BreakingRules
{
    /// <param name="wasContract">Of what is bound; null where it is not known.</param>
    /// <param name="contract">Of the definition to come; null where it is not known.</param>
    public static IReadOnlyList<BreakingReason> Between(JobArtifact was, JobArtifact job, MetricContract? wasContract, MetricContract? contract) =>
    [
        .. Contract(was, job), .. Stages(was, job), .. Dimensions(Key(was, wasContract), Key(job, contract)), .. Columns(wasContract, contract), .. Extensions(was, job), .. Selection(was, job),
        .. Days(was, job), .. Rules(was, job),
    ];

    /// <summary>A job that is no longer scheduled, or computes another KPI, leaves those that wait for the one it computed.</summary>
    /// <param name="left">What it computed, where no other job computes it.</param>
    /// <param name="dependents">Those that are computed from it, directly.</param>
    public static IReadOnlyList<BreakingReason> Orphans(KpiReference left, IReadOnlyCollection<KpiReference> dependents) => dependents.Count == 0 ? [] :
        [new("breaking.orphans_dependents", "/contract_version", $"Nothing would compute {left} any more, and {Names(dependents)} {(dependents.Count == 1 ? "waits" : "wait")} for it.")];

    private static IEnumerable<BreakingReason> Contract(JobArtifact was, JobArtifact job)
    {
        if (was.KpiId != job.KpiId)
            yield return new("breaking.kpi", "/kpi_id", $"It would compute {job.KpiId} in the place of {was.KpiId}.");
        else if (Compatibility(was.ContractVersion) is var before && Compatibility(job.ContractVersion) is var after && before != after)
            yield return new("breaking.contract_major", "/contract_version", $"{job.ContractVersion} is another {(before.Major == 0 && after.Major == 0 ? "minor version before 1.0" : "major version")} of the contract than {was.ContractVersion}: by SemVer its values may mean something else.");
    }

    private static IEnumerable<BreakingReason> Stages(JobArtifact was, JobArtifact job)
    {
        if (RunStages.Of(was.Run).ComputesKpi && RunStages.Of(job.Run) is { ComputesKpi: false } stages)
            yield return new("breaking.stages", job.Run.StageSet.Count > 0 ? "/run/stage_set" : "/run/profile",
                $"It would compute no value any more: {(stages.IsDryRun ? "a dry run" : string.Join(", ", stages.Stages))} is all that it would run.");
    }

    // By SemVer: before 1.0 each minor version may break; from 1.0 on each major one.
    private static (int Major, int Minor) Compatibility(string version)
    {
        var numbers = version.Split('.', '-', '+');
        var major = Number(numbers[0]);
        return (major, major == 0 && numbers.Length > 1 ? Number(numbers[1]) : 0);
    }

    private static int Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1;

    private static IReadOnlyList<string> Key(JobArtifact job, MetricContract? contract) => job.Runtime.Dimensions.Count > 0 ? job.Runtime.Dimensions : contract?.KeyDimensions ?? [];

    private static IEnumerable<BreakingReason> Dimensions(IReadOnlyList<string> was, IReadOnlyList<string> now) =>
    [
        .. was.Except(now).Select(name => new BreakingReason("breaking.dimension_removed", "/runtime/dimensions", $"Values would no longer be split by {name}.")),
        .. now.Except(was).Select(name => new BreakingReason("breaking.dimension_added", "/runtime/dimensions", $"Values would be split by {name} too: what was one row becomes many.")),
    ];

    // Two versions of one contract: of another KPI everything is another, and is said once.
    private static IEnumerable<BreakingReason> Columns(MetricContract? was, MetricContract? now)
    {
        if (was is null || now is null || was.KpiId != now.KpiId)
            yield break;
        if (was.Grain != now.Grain)
            yield return new("breaking.grain", "/contract_version", $"Values would be by {now.Grain} in the place of {was.Grain}.");
        foreach (var metric in was.Metrics)
            if (now.Metrics.FirstOrDefault(other => other.Name == metric.Name) is not { } next)
                yield return new("breaking.metric_removed", "/contract_version", $"The metric {metric.Name} would no longer be computed.");
            else if (next != metric)
                yield return new("breaking.metric_changed", "/contract_version", $"The metric {metric.Name} would be {Describe(next)} in the place of {Describe(metric)}.");
        foreach (var field in was.Dimensions)
            if (now.Dimensions.FirstOrDefault(other => other.Name == field.Name) is { } next && next.DataType != field.DataType)
                yield return new("breaking.dimension_type", "/contract_version", $"The dimension {field.Name} would be {next.DataType} in the place of {field.DataType}.");
    }

    private static string Describe(ContractMetric metric) => $"{metric.MetricType ?? "of no type"} {metric.DataType} {(metric.Unit is { } unit ? $"in {unit}" : "without a unit")}";

    private static IEnumerable<BreakingReason> Extensions(JobArtifact was, JobArtifact job) =>
        from category in was.Runtime.Extensions
        from name in category.Value.Except(job.Runtime.Extensions.GetValueOrDefault(category.Key) ?? [])
        select new BreakingReason("breaking.extension_removed", $"/runtime/extensions/{category.Key}", $"{name} would no longer come with the values.");

    private static IEnumerable<BreakingReason> Selection(JobArtifact was, JobArtifact job)
    {
        if (!Texts(was.Runtime.Filters).SequenceEqual(Texts(job.Runtime.Filters)))
            yield return new("breaking.filters", "/runtime/filters", "Values would be computed from another selection of rows.");
        if ((was.Runtime.Time is null ? "" : Jcs.Write(was.Runtime.Time)) != (job.Runtime.Time is null ? "" : Jcs.Write(job.Runtime.Time)))
            yield return new("breaking.time", "/runtime/time", "Other periods would be computed.");
        if (was.Runtime.ScdView != job.Runtime.ScdView)
            yield return new("breaking.scd_view", "/runtime/scd_view", $"Values would be {job.Runtime.ScdView} in the place of {was.Runtime.ScdView}.");
    }

    private static IEnumerable<string> Texts(IEnumerable<JobFilter> filters) =>
        filters.Select(filter => $"{filter.Field} {filter.Op} {(filter.Value is null ? "" : Jcs.Write(filter.Value))}").Order(StringComparer.Ordinal);

    private static IEnumerable<BreakingReason> Days(JobArtifact was, JobArtifact job)
    {
        if (was.Schedule.Timezone != job.Schedule.Timezone)
            yield return new("breaking.timezone", "/schedule/timezone", $"Days would begin and end in {job.Schedule.Timezone} in the place of {was.Schedule.Timezone}: a business date is another stretch of time.");
        if (was.Dependencies.BusinessDate != job.Dependencies.BusinessDate)
            yield return new("breaking.business_date", "/dependencies/business_date", $"A run would report the {job.Dependencies.BusinessDate} day in the place of the {was.Dependencies.BusinessDate} one.");
        if (was.Schedule.Type != "manual" && job.Schedule.Type == "manual")
            yield return new("breaking.not_scheduled", "/schedule/type", "It would run only when told to.");
    }

    // Those who rely on a rule get values that it would have held back.
    private static IEnumerable<BreakingReason> Rules(JobArtifact was, JobArtifact job)
    {
        if (was.Run.OnRuleFail == "suppress" && job.Run.OnRuleFail != "suppress")
            yield return new("breaking.rules_loosened", "/run/on_rule_fail", $"A value that fails its contract's rules would be delivered ({job.Run.OnRuleFail}) instead of being held back.");
    }

    private static string Names(IReadOnlyCollection<KpiReference> kpis) =>
        string.Join(", ", kpis.Take(3)) + (kpis.Count > 3 ? string.Create(CultureInfo.InvariantCulture, $" and {kpis.Count - 3} more") : "");
}
