using System.Globalization;
using KpiControl.Testing;

namespace KpiControl.Bench;

/// <summary>Schedules, waits, promises and catching up, each figure with its target beside it.</summary>
internal static class TimeBench
{
    private static readonly (string Name, Func<int, Task<bool>> Run)[] Cases =
    [
        ("instants", InstantBench.RunAsync), ("load", InstantBench.LoadAsync), ("signals", SignalBench.RunAsync), ("sla", SlaBench.RunAsync), ("outage", OutageBench.RunAsync), ("backfill", BackfillBench.RunAsync),
    ];

    /// <param name="percent">Of the sizes that the targets are stated for.</param>
    public static async Task<int> RunAsync(int percent, string? only)
    {
        Console.WriteLine(Invariant($"time: {percent} % of the full size{(percent == 100 ? "" : ": the targets are those of the full size")}; load before: {await LoadAsync()}"));
        if (only is null or not ("instants" or "load"))
            await PostgresFixture.StartServerAsync("fsync = on", "synchronous_commit = on", "autovacuum_naptime = 10s");
        var met = true;
        foreach (var (name, run) in Cases.Where(one => only is null || one.Name == only))
        {
            Console.WriteLine($"-- {name}");
            met &= await run(percent);
        }
        Console.WriteLine($"load after: {await LoadAsync()}");
        return met ? 0 : 1;
    }

    public static int Part(int whole, int percent) => Math.Max(1, (int)((long)whole * percent / 100));

    public static bool Tell(string what, double figure, double target, string unit)
    {
        Console.WriteLine(Invariant($"{what,-78} {figure,9:0.00} {unit} (target {target:0.##} {unit}{(figure <= target ? "" : ": missed")})"));
        return figure <= target;
    }

    public static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static async Task<string> LoadAsync() => (await File.ReadAllTextAsync("/proc/loadavg")).Split(' ')[0];
}
