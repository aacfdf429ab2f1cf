using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Calendars;

/// <summary>What another version of a calendar makes of one schedule's fire times; pure.</summary>
public sealed record ScheduleMove
{
    /// <summary>Looked at are the fire times of a year and a month, so that yearly days are among them, and of dense schedules so many.</summary>
    public const int MostCompared = 5_000;
    private static readonly TimeSpan Ahead = TimeSpan.FromDays(400);

    public required IReadOnlyList<DateTimeOffset> Removed { get; init; }
    public required IReadOnlyList<DateTimeOffset> Added { get; init; }
    public required DateTimeOffset ComparedUntil { get; init; }

    public bool Moves => Removed.Count + Added.Count > 0;

    public static ScheduleMove Between(JobSchedule before, JobSchedule after, DateTimeOffset now)
    {
        var (was, willBe) = (Of(before, now), Of(after, now));
        // Where a list was cut short, only what both of them cover can be told apart.
        var until = new[] { was, willBe }.Where(slots => slots.Count == MostCompared).Select(slots => slots[^1]).Append(now + Ahead).Min();
        var (had, has) = (was.ToHashSet(), willBe.ToHashSet());
        return new ScheduleMove
        {
            Removed = [.. was.Where(slot => slot <= until && !has.Contains(slot))], Added = [.. willBe.Where(slot => slot <= until && !had.Contains(slot))], ComparedUntil = until,
        };
    }

    private static List<DateTimeOffset> Of(JobSchedule schedule, DateTimeOffset now) => [.. schedule.Slots(now, now + Ahead).Take(MostCompared)];
}
