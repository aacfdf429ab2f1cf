using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Cli.Zones;

/// <summary>What another zone database makes of a job's fire times; pure.</summary>
/// <param name="Gone">Fire times that would not be.</param>
/// <param name="Come">Those that would be in their place.</param>
internal sealed record ZoneMove(IReadOnlyList<DateTimeOffset> Gone, IReadOnlyList<DateTimeOffset> Come);

internal static class ZoneMoves
{
    private static readonly TimeSpan Step = TimeSpan.FromMinutes(15), Around = TimeSpan.FromHours(36);

    /// <summary>The stretches in which the two databases disagree, with a day and a half about them.</summary>
    public static List<(DateTimeOffset From, DateTimeOffset To)> Differences(Func<DateTime, TimeSpan> inUse, Func<DateTime, TimeSpan> other, DateTimeOffset from, DateTimeOffset until)
    {
        var stretches = new List<(DateTimeOffset From, DateTimeOffset To)>();
        for (var at = from; at < until; at += Step)
            if (inUse(at.UtcDateTime) != other(at.UtcDateTime))
                if (stretches.Count > 0 && stretches[^1].To >= at - Around)
                    stretches[^1] = (stretches[^1].From, at + Around);
                else
                    stretches.Add((at - Around < from ? from : at - Around, at + Around));
        return stretches;
    }

    public static ZoneMove Of(JobSchedule inUse, JobSchedule other, IEnumerable<(DateTimeOffset From, DateTimeOffset To)> stretches)
    {
        var (gone, come) = (new List<DateTimeOffset>(), new List<DateTimeOffset>());
        foreach (var (from, to) in stretches)
        {
            var (before, after) = (inUse.Slots(from, to).ToHashSet(), other.Slots(from, to).ToHashSet());
            gone.AddRange(before.Where(slot => !after.Contains(slot)).Order());
            come.AddRange(after.Where(slot => !before.Contains(slot)).Order());
        }
        return new ZoneMove(gone, come);
    }

    /// <summary>The binding's schedule in both; null where one of them does not know the zone or the expression.</summary>
    public static (JobSchedule InUse, JobSchedule Other)? Schedules(string cron, string zone, string identity, WorkCalendar? calendar, Func<DateTime, TimeSpan> other, string otherVersion)
    {
        var spec = new JobScheduleSpec { Type = "cron", Expression = cron, Timezone = zone, Calendar = calendar?.Name };
        return JobSchedule.TryCreate(spec, out var inUse, out _, identity, calendar) && JobSchedule.TryCreate(spec, other, otherVersion, identity, calendar, out var moved, out _) ? (inUse!, moved!) : null;
    }
}
