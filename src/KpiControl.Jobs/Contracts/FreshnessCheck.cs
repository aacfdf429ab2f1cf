using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Contracts;

/// <summary>Whether a schedule can keep the freshness that the job promises.</summary>
/// <remarks>
/// Freshness counts from the end of the window of the last good result, so just before the next result it is as old
/// as the gap between the slots plus what a run may take.
/// </remarks>
internal static class FreshnessCheck
{
    /// <summary>A year and a month, so that every clock change, month and weekday is in it; fixed, so that one artifact has one verdict.</summary>
    private static readonly DateTimeOffset From = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset To = From.AddDays(400);

    /// <summary>About a tenth of a second; a year of minutes is cut after some months, one of seconds after days.</summary>
    private const int MostSlots = 200_000;

    public static IEnumerable<Finding> Check(JobArtifact job)
    {
        if (job.Sla?.Freshness is not { } promised || !JobSchedule.TryCreate(job.Schedule, out var schedule, out _)) yield break;
        if (LongestGap(schedule!) is not { } gap) yield break;
        var grace = promised.Grace ?? JobFields.DefaultGrace(promised.Target);
        if (gap + job.Timeout > promised.Target + grace)
            yield return new Finding("/sla/freshness", 0, 0, "contract.freshness", Severity.Warning,
                $"Slots are up to {Durations.Format(gap)} apart and a run may take {Durations.Format(job.Timeout)}: longer than {Durations.Format(promised.Target)} and the grace of {Durations.Format(grace)}.",
                "Run more often, shorten the timeout, or promise less.");
    }

    private static TimeSpan? LongestGap(JobSchedule schedule)
    {
        TimeSpan? longest = null;
        DateTimeOffset? before = null;
        foreach (var slot in schedule.Slots(From, To).Take(MostSlots))
        {
            if (slot - before is { } gap && gap > (longest ?? TimeSpan.Zero)) longest = gap;
            before = slot;
        }
        // One slot in all this time, or none: the next one is at least as far away.
        return longest ?? (schedule.HasSlots ? To - From : null);
    }
}
