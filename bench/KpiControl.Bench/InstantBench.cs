using System.Globalization;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Load;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Bench;

/// <summary>Schedules alone: no database, one thread.</summary>
internal static class InstantBench
{
    private const int Bindings = 1_000_000;
    private const double Seconds = 10, LoadSeconds = 5;

    private static readonly string[] Expressions = ["0 2 * * *", "*/15 * * * *", "30 6 * * 1-5", "0 0 1 * *", "0 18 L * *", "5 4 * * 1#2", "0 7 15W * *", "@hourly", "0 0/10 8-17 * * *", "H 3 * * *"];
    private static readonly string[] Zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "Africa/Casablanca", "America/Sao_Paulo"];

    public static Task<bool> RunAsync(int percent)
    {
        var bindings = TimeBench.Part(Bindings, percent);
        // A zone's clock is learnt once for the process.
        foreach (var zone in Zones.Index())
            Schedule(zone.Index);
        var (now, found, began) = (TimeProvider.System.GetUtcNow(), 0, TimeProvider.System.GetTimestamp());
        for (var binding = 0; binding < bindings; binding++)
            if (Schedule(binding).Next(now) is not null)
                found++;
        var seconds = TimeProvider.System.GetElapsedTime(began).TotalSeconds;
        return Task.FromResult(TimeBench.Tell(TimeBench.Invariant($"next instants of {found:N0} bindings, each schedule read anew"), seconds, Seconds, "s"));
    }

    /// <summary>The load map of ten thousand jobs, no two alike, and its advice.</summary>
    public static Task<bool> LoadAsync(int percent)
    {
        var jobs = Enumerable.Range(0, TimeBench.Part(10_000, percent)).Select(binding => new LoadJob($"job_{binding}", Identity(binding), Schedule(binding))).ToList();
        var began = TimeProvider.System.GetTimestamp();
        var map = LoadMap.Count(jobs, TimeProvider.System.GetUtcNow(), 24 * 60, long.MaxValue, CancellationToken.None)!;
        var advice = LoadAdvisor.Advise(map, 10, CancellationToken.None);
        var seconds = TimeProvider.System.GetElapsedTime(began).TotalSeconds;
        return Task.FromResult(TimeBench.Tell(TimeBench.Invariant($"load map of {jobs.Count:N0} jobs, {map.Fires:N0} runs in a day, {advice.Count} pieces of advice"), seconds, LoadSeconds, "s"));
    }

    private static JobSchedule Schedule(int binding)
    {
        var spec = new JobScheduleSpec
        {
            Type = "cron", Expression = Expressions[binding % Expressions.Length], Timezone = Zones[binding % Zones.Length], DayMatch = "all", Spread = binding % 10 == 0 ? TimeSpan.FromMinutes(10) : null,
        };
        return JobSchedule.TryCreate(spec, out var schedule, out var error, Identity(binding)) ? schedule! : throw new InvalidOperationException(error);
    }

    private static string Identity(int binding) => binding.ToString(CultureInfo.InvariantCulture);
}
