using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Plans;

/// <summary>What is said of a planned job, alike on a terminal and in a review comment.</summary>
internal static class PlanWords
{
    private static readonly string[] Actions = ["invalid", "create", "rebind", "update", "pause", "remove", "unchanged"];

    public static bool IsChange(PlannedJob job) => job.Action is not ("unchanged" or "invalid");

    /// <summary><c>1 to create, 2 to rebind, 12 unchanged</c></summary>
    public static string Counts(Plan plan)
    {
        var counts = Actions.Select(action => (action, count: plan.Counts.GetValueOrDefault(action))).Where(c => c.count > 0)
            .Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.count} {(c.action is "invalid" or "unchanged" ? "" : "to ")}{c.action}"));
        return string.Join(", ", counts);
    }

    public static string Where(Plan plan) => $"{plan.Tenant}/{plan.Environment}";

    public static string Name(PlannedJob job, JobNames names) => job.JobId.Length > 0 ? job.JobId : names.FileOf(job);

    public static IEnumerable<string> FireTimes(PlannedJob job)
    {
        foreach (var time in job.FireTimes)
            yield return Line(time);
        if (job.PlacedWhenBound)
            yield return "(H and spread place the slots once the job is bound: these are examples)";
    }

    /// <summary>Only what is not as on any other day; empty where the change does nothing.</summary>
    public static IEnumerable<string> ClockChange(PlannedJob job)
    {
        if (job.ClockChange is not { } change)
            yield break;
        foreach (var time in change.FireTimes.Where(time => time.Kind != "stays"))
            yield return Line(time);
        foreach (var effect in change.Effects)
            yield return effect.Kind switch
            {
                "vanishes" => $"the change skips {Local(effect.Without)}",
                "appears" => $"the change brings {Local(effect.With)} once more",
                _ => $"the change moves {Local(effect.Without)} to {Local(effect.With)}",
            };
    }

    public static string ClockTitle(ClockChange change) => $"clock change {Minute(change.At)} ({change.Timezone} {change.OffsetBefore} → {change.OffsetAfter})";

    public static string Downstream(PlannedJob job) => string.Join(", ", job.Downstream)
        + (job.DownstreamCount > job.Downstream.Count ? string.Create(CultureInfo.InvariantCulture, $" and {job.DownstreamCount - job.Downstream.Count} more") : "");

    public static string Approvers(PlannedJob job) =>
        string.Join(", ", job.Required.Select(need => need.Principal.Length > 0 ? $"{need.Capacity} {need.Principal}" : $"{need.Capacity} approver"));

    public static string Before(FieldChange difference) => difference.Before.Length > 0 ? difference.Before : "–";

    public static string After(FieldChange difference) => difference.After.Length > 0 ? difference.After : "–";

    private static string Line(PlannedFireTime time) => time.Kind switch
    {
        "stays" => $"{Minute(time.After)} stays",
        "vanishes" => $"{Minute(time.Before)} vanishes",
        "appears" => $"{Minute(time.After)} appears",
        _ => $"{Minute(time.Before)} moves to {Minute(time.After)}",
    };

    private static string Minute(Timestamp at) => Ages.Absolute(at) is var text && text.EndsWith(":00Z", StringComparison.Ordinal) ? text[..^4] + "Z" : text;

    private static string Local(string time) => time.Replace('T', ' ');
}

/// <summary>Which file each planned job stands in.</summary>
internal sealed class JobNames(IReadOnlyList<string> files)
{
    /// <summary>Of one that the set does not have its name.</summary>
    public string FileOf(PlannedJob job) => job.Artifact >= 0 && job.Artifact < files.Count ? files[job.Artifact] : job.JobId;
}
