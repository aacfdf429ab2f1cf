using Dapper;
using KpiControl.Testing;

namespace KpiControl.Bench;

/// <summary>A day of minute jobs that nobody saw: how soon every instant has its place, and what live runs feel of it.</summary>
internal static class OutageBench
{
    private const int Jobs = 1_000, LiveJobs = 1_000;
    private const double Seconds = 60, LiveMilliseconds = 1_000;

    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(60);

    public static async Task<bool> RunAsync(int percent)
    {
        var (jobs, live) = (TimeBench.Part(Jobs, percent), TimeBench.Part(LiveJobs, percent));
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        await using var issuer = await TestIssuer.StartAsync();
        // It makes the schema and the tenant, and ends before anything is due.
        await using (await ControlProcess.StartAsync(database, issuer))
        {
        }
        const string Yesterday = "date_trunc('minute', now()) - interval '1 day'";
        foreach (var (name, catchup) in new[] { ("none", "none"), ("latest", "latest"), ("all", "all") })
            await new BindingSeed(database).BindAsync(BindingSeed.Job($"missed_{name}", "* * * * *", $"  catchup: {catchup}\n  catchup_window: 2d"), Yesterday, Math.Max(1, jobs / 3));
        var running = await LiveRuns.BindAsync(database, live);
        await using var connection = await database.OpenAsync();

        var began = TimeProvider.System.GetTimestamp();
        await using var control = await ControlProcess.StartAsync(database, issuer);
        await using var agent = await BenchAgent.StartAsync(control.GrpcUrl, issuer, slots: 4_000);
        await running.ComeDueAsync(Watched);
        while (await connection.ExecuteScalarAsync<long>("SELECT count(*) FROM kpi_job_runtime WHERE next_run_at < now() - interval '2 minutes'") > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        var seconds = TimeProvider.System.GetElapsedTime(began).TotalSeconds;
        var instants = await connection.ExecuteScalarAsync<long>(AccountedSql);
        var met = TimeBench.Tell(TimeBench.Invariant($"a day's outage of {jobs:N0} minute jobs accounted for, from start on ({instants:N0} instants, a third runs one by one)"), seconds, Seconds, "s");
        var delays = await running.DelaysAsync(agent);
        return met & TimeBench.Tell(TimeBench.Invariant($"meanwhile due -> agent of {delays.Count:N0} live runs, p99 (p50 {Meter.Percentile(delays, 0.5):0} ms)"), Meter.Percentile(delays, 0.99), LiveMilliseconds, "ms");
    }

    // Recorded one by one or as a stretch, queued as a stretch, or run.
    private const string AccountedSql =
        """
        SELECT (SELECT coalesce(sum(slot_count), 0) FROM kpi_job_history WHERE final AND trigger_kind = 'schedule')
             + (SELECT coalesce(sum((extract(epoch FROM last_slot - scheduled_for) / 60)::bigint + 1), 0) FROM kpi_occurrence WHERE kind = 0)
        """;
}
