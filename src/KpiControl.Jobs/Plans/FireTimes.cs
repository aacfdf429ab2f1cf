using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Plans;

/// <summary>A slot that stays, vanishes, appears, or moves within its local day.</summary>
public sealed record FireTime(DateTimeOffset? Before, DateTimeOffset? After)
{
    public string Kind => Before == After ? "stays" : Before is null ? "appears" : After is null ? "vanishes" : "moves";
}

/// <summary>Which slots another schedule takes away, and which it brings.</summary>
public static class FireTimes
{
    /// <summary>What a comparison lists at most of one schedule; a job that runs each second needs no more to be seen through.</summary>
    public const int Most = 100;

    // Where three days hold more slots than anybody reads.
    private static readonly TimeSpan[] Narrower = [TimeSpan.FromHours(3), TimeSpan.FromHours(1.5), TimeSpan.FromMinutes(5)];

    /// <summary>The next slots of the one and of the other.</summary>
    /// <param name="was">Null: nothing is scheduled now.</param>
    /// <param name="now">Null: nothing will be.</param>
    public static IReadOnlyList<FireTime> Next(JobSchedule? was, JobSchedule? now, DateTimeOffset after, int count = 5) =>
        Compare(was, now, Slots(was, after).Take(count), Slots(now, after).Take(count));

    /// <summary>The slots of both on the local day of an instant and the days beside it; within less where those are too many.</summary>
    public static IReadOnlyList<FireTime> Around(JobSchedule? was, JobSchedule? now, DateTimeOffset instant)
    {
        if ((now ?? was) is not { } zoned) return [];
        var day = zoned.LocalDate(instant).DayNumber;
        // Whole days: a slot that moves within one is seen where it was and where it is.
        if (Few(was, now, instant, TimeSpan.FromDays(3), slot => Math.Abs(zoned.LocalDate(slot).DayNumber - day) <= 1) is { } days) return days;
        foreach (var span in Narrower)
            if (Few(was, now, instant, span, _ => true) is { } times) return times;
        return Compare(was, now, Within(was, instant, Narrower[^1]).Take(Most), Within(now, instant, Narrower[^1]).Take(Most));
    }

    private static List<FireTime>? Few(JobSchedule? was, JobSchedule? now, DateTimeOffset instant, TimeSpan span, Func<DateTimeOffset, bool> isSeen)
    {
        var (before, after) = (Within(was, instant, span).Where(isSeen).Take(Most + 1).ToList(), Within(now, instant, span).Where(isSeen).Take(Most + 1).ToList());
        return before.Count > Most || after.Count > Most ? null : Compare(was, now, before, after);
    }

    private static IEnumerable<DateTimeOffset> Within(JobSchedule? schedule, DateTimeOffset instant, TimeSpan span) => schedule?.Slots(instant - span, instant + span) ?? [];

    /// <summary>Whether the other schedule has a slot decides, not whether it is among those listed.</summary>
    private static List<FireTime> Compare(JobSchedule? was, JobSchedule? now, IEnumerable<DateTimeOffset> before, IEnumerable<DateTimeOffset> after)
    {
        var (old, fresh) = (before.ToList(), after.ToList());
        var vanished = new Queue<DateTimeOffset>(old.Where(slot => now?.IsSlot(slot) != true));
        var times = old.Where(slot => now?.IsSlot(slot) == true).Union(fresh.Where(slot => was?.IsSlot(slot) == true)).Select(slot => new FireTime(slot, slot)).ToList();
        foreach (var slot in fresh.Where(slot => was?.IsSlot(slot) != true))
        {
            while (vanished.TryPeek(out var gone) && now!.LocalDate(gone) < now.LocalDate(slot))
                times.Add(new FireTime(vanished.Dequeue(), null));
            times.Add(vanished.TryPeek(out var moved) && now!.LocalDate(moved) == now.LocalDate(slot) ? new FireTime(vanished.Dequeue(), slot) : new FireTime(null, slot));
        }
        times.AddRange(vanished.Select(slot => new FireTime(slot, null)));
        return [.. times.OrderBy(time => time.After ?? time.Before)];
    }

    private static IEnumerable<DateTimeOffset> Slots(JobSchedule? schedule, DateTimeOffset after) =>
        schedule is null ? [] : schedule.Slots(after, ZoneClock.Latest);
}
