using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Validation;

/// <summary>What a schedule's slots are like, seen over a good year, so that both clock changes are in it.</summary>
/// <param name="Shortest">Between two neighbours; null where there is only one slot.</param>
/// <param name="Longest">Between two neighbours; null where there is only one slot.</param>
/// <param name="EarliestOfDay">The earliest local time of a day's first slot.</param>
/// <param name="LatestFirstOfDay">The latest local time of a day's first slot.</param>
internal sealed record SlotSample(TimeSpan? Shortest, TimeSpan? Longest, TimeOnly EarliestOfDay, TimeOnly LatestFirstOfDay)
{
    /// <summary>Dense schedules repeat within days; a bound keeps "every second" from costing a year of seconds.</summary>
    private const int MostSlots = 4_000;

    // Fixed, so that a verdict depends on the text alone; any instant would do.
    private static readonly DateTimeOffset From = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static SlotSample? Of(JobSchedule schedule, string timezone)
    {
        // What has ended by then is looked at in its own time: a job's verdict does not change when it ends.
        if ((schedule.Next(From) ?? schedule.Next(ZoneClock.Earliest)) is not { } first) return null;
        var zone = TimeZoneInfo.FindSystemTimeZoneById(timezone);
        var slots = schedule.Slots(first.AddTicks(-1), first.AddDays(400)).Take(MostSlots).ToList();
        // A leap day comes round every four years or eight; its neighbour is worth one more step.
        if (slots.Count == 1 && schedule.Next(first) is { } second) slots.Add(second);
        var gaps = slots.Zip(slots.Skip(1), (a, b) => b - a).ToList();
        var firsts = slots.Select(s => TimeZoneInfo.ConvertTime(s, zone)).GroupBy(s => s.Date).Select(d => TimeOnly.FromTimeSpan(d.First().TimeOfDay)).ToList();
        return new SlotSample(gaps.Count == 0 ? null : gaps.Min(), gaps.Count == 0 ? null : gaps.Max(), firsts.Min(), firsts.Max());
    }
}
