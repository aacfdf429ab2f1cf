using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;
using KpiControl.Jobs.Runs;

namespace KpiControl.Jobs.Validation;

/// <summary>Whether waiting, retrying and the promises of the SLA fit between a schedule's slots.</summary>
internal static class SlotRules
{
    // Leases:MostAtOncePerBinding as it is delivered.
    private const int UsuallyAtOnce = 16;

    public static void Check(JobArtifact job, SlotSample slots, ArtifactNode root, FindingList findings)
    {
        CheckRetry(job, slots, root, findings);
        CheckOverlap(job, slots, root, findings);
        CheckWait(job, slots, root, findings);
        CheckAvailability(job, slots, root, findings);
        CheckFreshness(job, slots, root, findings);
    }

    private static void CheckRetry(JobArtifact job, SlotSample slots, ArtifactNode root, FindingList findings)
    {
        // Where runs stand side by side the next slot waits for nothing.
        if (job.Retry.MaxRetries == 0 || job.Schedule.Overlap == "allow" || slots.Shortest is not { } gap) return;
        var pauses = Enumerable.Range(1, job.Retry.MaxRetries).Aggregate(TimeSpan.Zero, (sum, n) => sum + RetryPolicy.Delay(job.Retry, n, jitter01: 1));
        var attempts = job.Timeout * (job.Retry.MaxRetries + 1);
        var at = root.Nearest("retry", "max_retries");
        if (pauses >= gap)
            findings.Error("meaning.retry_window", at, $"The pauses between retries add up to {Durations.Format(pauses)}; the next slot can come after {Durations.Format(gap)}.", "Retry less often, or lower retry.initial and retry.max.");
        else if (pauses + attempts > gap)
            findings.Warn("meaning.retry_window", at, $"All attempts together can take {Durations.Format(pauses + attempts)}; the next slot can come after {Durations.Format(gap)}, and is then treated as overlap says.", "Lower timeout or max_retries.");
    }

    private static void CheckOverlap(JobArtifact job, SlotSample slots, ArtifactNode root, FindingList findings)
    {
        if (job.Schedule.Overlap != "allow" || slots.Shortest is not { } gap || job.Timeout <= gap * UsuallyAtOnce) return;
        findings.Warn("meaning.overlap_many", root.Nearest("schedule", "overlap"), $"A run may take {Durations.Format(job.Timeout)} and the next slot can come after {Durations.Format(gap)}: more than {UsuallyAtOnce} at once, which is how many the control plane runs of a job unless it is configured otherwise. Slots beyond are skipped but for one.", "Lower timeout, or run less often.");
    }

    private static void CheckWait(JobArtifact job, SlotSample slots, ArtifactNode root, FindingList findings)
    {
        if (job.Dependencies.WaitTimeout is { } wait && slots.Shortest is { } gap && wait >= gap)
            findings.Error("meaning.wait_timeout", root.Nearest("dependencies", "wait_timeout"), $"The wait of {Durations.Format(wait)} does not end before the next slot, which can come after {Durations.Format(gap)}.", "Write a shorter one, or remove it: a run then waits until just before the next slot.");
    }

    private static void CheckAvailability(JobArtifact job, SlotSample slots, ArtifactNode root, FindingList findings)
    {
        if (job.Sla?.Availability is not { } promised) return;
        var at = root.Nearest("sla", "availability");
        var by = promised.Target.ToTimeSpan() + (promised.Grace ?? TimeSpan.Zero);
        if (slots.EarliestOfDay.ToTimeSpan() > by)
            findings.Error("meaning.availability", at, $"The day's first slot is at {slots.EarliestOfDay:HH:mm} at the earliest: nothing can be delivered by {promised.Target:HH:mm}.", "Schedule the job earlier, or promise a later time.");
        else if (slots.LatestFirstOfDay.ToTimeSpan() + Moved(job) + job.Timeout > by)
            findings.Warn("meaning.availability", at, $"A day's first slot can be as late as {slots.LatestFirstOfDay:HH:mm}{(job.Schedule.Spread is { } spread ? $", moved by up to {Durations.Format(spread)}," : "")} and may run for {Durations.Format(job.Timeout)}: delivery by {promised.Target:HH:mm} is not certain.", "Schedule the job earlier, lower timeout, or promise a later time.");
    }

    // Longer ones have their own finding.
    private static TimeSpan Moved(JobArtifact job) => job.Schedule.Spread is { } spread && spread <= TimeSpan.FromDays(1) ? spread : TimeSpan.Zero;

    private static void CheckFreshness(JobArtifact job, SlotSample slots, ArtifactNode root, FindingList findings)
    {
        // Of business hours the text alone knows no calendar.
        if (job.Sla?.Freshness is not { BusinessHours: null } promised || slots.Longest is not { } gap || promised.Target == TimeSpan.MaxValue) return;
        var allowed = promised.Target + (promised.Grace ?? JobFields.DefaultGrace(promised.Target));
        if (gap + job.Timeout > allowed)
            findings.Warn("meaning.freshness", root.Nearest("sla", "freshness"), $"Slots lie up to {Durations.Format(gap)} apart (clock changes counted in) and a run may take {Durations.Format(job.Timeout)}: a result can be older than target and grace ({Durations.Format(allowed)}) though nothing failed.", "Run more often, or promise less.");
    }
}
