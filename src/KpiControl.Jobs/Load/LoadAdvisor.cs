using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Load;

/// <summary>Where to spread: peak after peak, highest first, each with the advice before it followed. Pure.</summary>
/// <remarks>
/// A job's place within a spread is a hash of the job, so what a spread would give is computed and not estimated. The shortest
/// one that leaves no peak in the hour from there on is advised, or else the one that leaves the lowest. What fired before the map
/// begins stays off it.
/// </remarks>
public static class LoadAdvisor
{
    private const int Hour = 60;

    // A spread that takes less than a quarter off is not worth anybody's change.
    private const double Worthwhile = 0.75;

    private static readonly TimeSpan[] Spreads = [.. new[] { 2, 5, 10, 15, 30, 60 }.Select(minutes => TimeSpan.FromMinutes(minutes))];

    public static IReadOnlyList<LoadAdvice> Advise(LoadMap map, int most, CancellationToken token)
    {
        var (advice, passed, left) = (new List<LoadAdvice>(), new HashSet<int>(), new Moves(map));
        while (advice.Count < most && left.Highest(passed) is { } peak)
        {
            token.ThrowIfCancellationRequested();
            passed.Add(peak);
            var jobs = map.JobsOf(peak);
            if (Spreads.Select(spread => left.Try(peak, jobs, spread)).OfType<Moved>().ToList() is not { Count: > 0 } tried)
                continue;
            var best = tried.Find(moved => moved.Highest < map.Threshold) ?? tried.MinBy(moved => moved.Highest)!;
            if (best.Highest > Worthwhile * left.PerMinute[peak])
                continue;
            var quiet = Enumerable.Range(peak, Math.Min(Hour, map.PerMinute.Count - peak)).MinBy(minute => left.PerMinute[minute]);
            advice.Add(new LoadAdvice(peak, left.PerMinute[peak], best.Jobs, best.Spread, best.Highest, best.HighestMinute, quiet, left.PerMinute[quiet]));
            left.Follow(best);
        }
        return advice;
    }

    private sealed record Moved(TimeSpan Spread, IReadOnlyList<LoadJob> Jobs, int[] PerMinute, int Highest, int HighestMinute);

    /// <summary>The map with the advice so far followed.</summary>
    private sealed class Moves(LoadMap map)
    {
        private readonly Dictionary<JobSchedule, DateTimeOffset[]> _slots = [];
        // Advised once: another word on the same job would take back the first.
        private readonly HashSet<LoadJob> _settled = [];

        public int[] PerMinute { get; private set; } = [.. map.PerMinute];

        public int? Highest(HashSet<int> passed)
        {
            var highest = -1;
            for (var minute = 0; minute < PerMinute.Length; minute++)
                if (PerMinute[minute] >= map.Threshold && !passed.Contains(minute) && (highest < 0 || PerMinute[minute] > PerMinute[highest]))
                    highest = minute;
            return highest < 0 ? null : highest;
        }

        public Moved? Try(int peak, IReadOnlyList<LoadJob> of, TimeSpan spread)
        {
            var jobs = of.Where(job => !_settled.Contains(job) && MaySpread(job, peak, spread)).ToList();
            if (jobs.Count == 0) return null;
            int[] counts = [.. PerMinute];
            foreach (var job in jobs)
                Move(job, Spread.Offset(spread, job.Identity) - job.Schedule.SpreadOffset, counts);
            var highest = Enumerable.Range(peak, Math.Min(Hour, counts.Length - peak)).MaxBy(minute => counts[minute]);
            return new Moved(spread, jobs, counts, counts[highest], highest);
        }

        public void Follow(Moved moved)
        {
            PerMinute = moved.PerMinute;
            _settled.UnionWith(moved.Jobs);
        }

        // A slot must not move past its successor, and a job that has a place in such a spread already gains nothing.
        private bool MaySpread(LoadJob job, int peak, TimeSpan spread)
        {
            var schedule = job.Schedule;
            if (schedule.SpreadOffset >= spread || schedule.Next(map.At(peak).AddTicks(-1)) is not { } slot) return false;
            return !(schedule.Next(slot) - slot < spread) && !(slot - schedule.Previous(slot) < spread);
        }

        private void Move(LoadJob job, TimeSpan by, int[] counts)
        {
            if (!_slots.TryGetValue(job.Schedule, out var slots))
                _slots[job.Schedule] = slots = [.. map.SlotsOf(job)];
            foreach (var slot in slots.Where(slot => !(slot <= job.NotBefore)))
            {
                counts[LoadMap.MinuteOf(slot, map.From)]--;
                if (slot + by >= map.From && LoadMap.MinuteOf(slot + by, map.From) is var minute && minute < counts.Length)
                    counts[minute]++;
            }
        }
    }
}
