using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Validation;

/// <summary>Which lengths of time make sense where.</summary>
internal static class DurationRules
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(3660);
    private static readonly TimeSpan LongestTimeout = TimeSpan.FromHours(24);

    public static void Check(JobArtifact job, ArtifactNode root, FindingList findings)
    {
        void Bound(TimeSpan? length, TimeSpan atMost, bool zero, params ReadOnlySpan<string> path)
        {
            if (length is { } written) Within(written, atMost, zero, root.Nearest(path), findings);
        }

        Bound(job.Timeout, LongestTimeout, false, "timeout");
        Bound(job.Schedule.CatchupWindow, Longest, true, "schedule", "catchup_window");
        Bound(job.Schedule.Spread, Longest, true, "schedule", "spread");
        Bound(job.Dependencies.WaitTimeout, Longest, false, "dependencies", "wait_timeout");
        foreach (var (table, age) in job.Dependencies.MaxAge) Bound(age, Longest, false, "dependencies", "max_age", table);
        Bound(job.Sla?.Freshness?.Target, Longest, false, "sla", "freshness", "target");
        Bound(job.Sla?.Freshness?.Grace, Longest, true, "sla", "freshness", "grace");
        Bound(job.Sla?.Latency?.Target, Longest, false, "sla", "latency", "target");
        Bound(job.Sla?.Latency?.Grace, Longest, true, "sla", "latency", "grace");
        Bound(job.Sla?.Availability?.Grace, LongestTimeout, true, "sla", "availability", "grace");
        Bound(job.Retry.Initial, Longest, true, "retry", "initial");
        Bound(job.Retry.Max, Longest, true, "retry", "max");
        if (job.Retry.Max < job.Retry.Initial)
            findings.Error("meaning.retry_max", root.Nearest("retry", "max"), $"The longest pause ({Durations.Format(job.Retry.Max)}) is shorter than the first ({Durations.Format(job.Retry.Initial)}).", "Raise retry.max or lower retry.initial.");
    }

    private static void Within(TimeSpan length, TimeSpan atMost, bool zero, ArtifactNode at, FindingList findings)
    {
        if (length > atMost)
            findings.Error("meaning.duration", at, $"This is longer than {Durations.Format(atMost)}, the longest length allowed here.", "Write a shorter one.");
        else if (length == TimeSpan.Zero && !zero)
            findings.Error("meaning.duration", at, "This must be longer than nothing.", "Write at least 1s, or remove the field.");
    }
}
