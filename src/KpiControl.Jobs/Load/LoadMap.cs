using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Load;

/// <summary>How many slots of some jobs fire in each minute of a stretch of time: by their schedules themselves, calendars and clock changes included.</summary>
/// <remarks>What no schedule makes (events, triggers, retries, backfills) is on no map.</remarks>
public sealed class LoadMap
{
    /// <summary>Fewer starts in one minute are no peak, however quiet the others are.</summary>
    private const int FewestOfAPeak = 10;

    /// <summary>A peak is so many times the mean.</summary>
    private const int TimesTheMean = 3;

    private readonly DateTimeOffset _after;
    private readonly int[] _perMinute;

    private LoadMap(IReadOnlyList<LoadJob> jobs, DateTimeOffset after, int[] perMinute, long looked)
    {
        (Jobs, _after, From) = (jobs, after, BeginOf(after));
        (_perMinute, Fires) = (perMinute, perMinute.Sum(count => (long)count));
        Looked = looked;
        Threshold = Math.Max(FewestOfAPeak, (int)Math.Ceiling(TimesTheMean * Mean));
    }

    public IReadOnlyList<LoadJob> Jobs { get; }

    /// <summary>The beginning of the first minute.</summary>
    public DateTimeOffset From { get; }

    public IReadOnlyList<int> PerMinute => _perMinute;

    public long Fires { get; }

    /// <summary>Slots that were computed for it.</summary>
    public long Looked { get; }

    /// <summary>A minute.</summary>
    public double Mean => Fires / (double)_perMinute.Length;

    /// <summary>From so many in one minute on it is a peak.</summary>
    public int Threshold { get; }

    /// <param name="after">Slots after it count; the map begins with the minute in which they do.</param>
    /// <param name="most">Slots that are looked at, those of jobs with one schedule counted once.</param>
    /// <returns>Null where there are more.</returns>
    public static LoadMap? Count(IReadOnlyList<LoadJob> jobs, DateTimeOffset after, int minutes, long most, CancellationToken token)
    {
        var (from, counts, looked) = (BeginOf(after), new int[minutes], 0L);
        foreach (var same in jobs.GroupBy(job => (job.Schedule, job.NotBefore)))
        {
            token.ThrowIfCancellationRequested();
            var times = same.Count();
            foreach (var slot in Slots(same.First(), after, from.AddMinutes(minutes)))
            {
                if (++looked > most) return null;
                counts[MinuteOf(slot, from)] += times;
            }
        }
        return new LoadMap(jobs, after, counts, looked);
    }

    public DateTimeOffset At(int minute) => From.AddMinutes(minute);

    /// <summary>The highest minutes, highest first.</summary>
    public IReadOnlyList<int> Peaks(int most) => [.. Enumerable.Range(0, _perMinute.Length).Where(minute => _perMinute[minute] >= Threshold)
        .OrderByDescending(minute => _perMinute[minute]).ThenBy(minute => minute).Take(most)];

    /// <summary>Those that fire in a minute.</summary>
    public IReadOnlyList<LoadJob> JobsOf(int minute) => [.. Jobs.GroupBy(job => (job.Schedule, job.NotBefore))
        .Where(same => Slots(same.First(), Start(minute), At(minute + 1)).Any()).SelectMany(same => same)];

    /// <summary>Of a job's schedule, a pause left out.</summary>
    internal IEnumerable<DateTimeOffset> SlotsOf(LoadJob job) => Slots(job with { NotBefore = null }, Start(0), At(_perMinute.Length));

    /// <summary>Of a map, where its minutes begin.</summary>
    public static DateTimeOffset BeginOf(DateTimeOffset after)
    {
        var first = after.AddTicks(1);
        return first.AddTicks(-(first.Ticks % TimeSpan.TicksPerMinute));
    }

    internal static int MinuteOf(DateTimeOffset slot, DateTimeOffset from) => (int)((slot - from).Ticks / TimeSpan.TicksPerMinute);

    // Slots stand at whole seconds: those of a minute are the ones after the last tick before it.
    private DateTimeOffset Start(int minute) => minute == 0 ? _after : At(minute).AddTicks(-1);

    private static IEnumerable<DateTimeOffset> Slots(LoadJob job, DateTimeOffset after, DateTimeOffset before) =>
        job.Schedule.Slots(job.NotBefore > after ? job.NotBefore.Value : after, before.AddTicks(-1));
}
