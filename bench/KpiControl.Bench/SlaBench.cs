using Dapper;
using KpiControl.Testing;

namespace KpiControl.Bench;

/// <summary>How soon a breach is written down among many clocks, and what looking costs when none is due.</summary>
internal static class SlaBench
{
    private const int Clocks = 100_000, FewClocks = 1_000;
    private const double Seconds = 5, MoreMilliseconds = 2;

    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(20);

    public static async Task<bool> RunAsync(int percent)
    {
        var clocks = TimeBench.Part(Clocks, percent);
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        await using var issuer = await TestIssuer.StartAsync();
        // Each breach is a warning in its log.
        await using var control = await ControlProcess.StartAsync(database, issuer, ("Logging__LogLevel__Default", "Error"));
        await new BindingSeed(database).BindAsync(BindingSeed.Job("promised", "0 0 1 1 *", more: "sla: { freshness: { target: 1h, grace: 0s } }"), "now() + interval '1 year'", clocks);
        await using var connection = await database.OpenAsync();

        await ArmAsync(connection, Math.Min(FewClocks, clocks));
        var few = await IdleAsync(database);
        await ArmAsync(connection, clocks);
        var many = await IdleAsync(database);
        Console.WriteLine(TimeBench.Invariant($"nothing due, {Math.Min(FewClocks, clocks):N0} clocks: control plane and database {few:0.0} ms of processor a second; {clocks:N0} clocks: {many:0.0} ms"));
        var met = TimeBench.Tell("idle cost that a hundred times the clocks add, of processor time a second", many - few, MoreMilliseconds, "ms");
        met &= await BreachAsync(connection, clocks / 100, "spread over ten seconds", "random() * interval '10 seconds'");
        met &= await BreachAsync(connection, clocks / 10, "at one instant", "interval '0'");
        return met;
    }

    // A clock each, planned: nothing of it is due for hours.
    private static async Task ArmAsync(System.Data.IDbConnection connection, int clocks)
    {
        await connection.ExecuteAsync(new CommandDefinition("""
            INSERT INTO kpi_sla_clock (binding_id, clock, tenant_id, due_at, state, armed_at, replan, warn_at, breach_at, needs, target, grace)
            SELECT binding_id, 'freshness', tenant_id, now() + interval '10 hours', 'pass', now() + interval '9 hours', false, now() + interval '10 hours', now() + interval '10 hours', now() + interval '9 hours', '1 hour', '0'
              FROM kpi_job_binding ORDER BY binding_id LIMIT @clocks ON CONFLICT DO NOTHING
            """, new { clocks }, commandTimeout: 600));
        // What the server would do about that by itself is no cost of clocks.
        await connection.ExecuteAsync("VACUUM ANALYZE kpi_sla_clock");
    }

    private static async Task<double> IdleAsync(TestDatabase database)
    {
        await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System);
        var cost = await Meter.MeasureAsync(database.Superuser, () => Task.Delay(Idle, TimeProvider.System));
        return 1000 * (cost.ControlCpu + cost.DatabaseCpu) / cost.Seconds;
    }

    private static async Task<bool> BreachAsync(System.Data.IDbConnection connection, int clocks, string how, string apart)
    {
        await connection.ExecuteAsync(new CommandDefinition($"""
            WITH due AS (
              SELECT binding_id, date_trunc('second', clock_timestamp()) + interval '3 seconds' + {apart} AS at FROM kpi_sla_clock WHERE state = 'pass' ORDER BY binding_id LIMIT @clocks)
            UPDATE kpi_sla_clock c SET due_at = at, warn_at = at, breach_at = at, armed_at = at - interval '1 hour', needs = at - interval '1 hour' + interval '1 microsecond' FROM due WHERE c.binding_id = due.binding_id
            """, new { clocks }, commandTimeout: 600));
        var before = await connection.ExecuteScalarAsync<long>("SELECT coalesce(max(episode_id), 0) FROM kpi_sla_episode");
        while (await connection.ExecuteScalarAsync<long>("SELECT count(*) FROM kpi_sla_clock WHERE state = 'pass' AND due_at < now() + interval '1 hour'") > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        var late = (await connection.QueryAsync<double>("SELECT extract(epoch FROM breach_recorded_at - breached_at)::float8 FROM kpi_sla_episode WHERE episode_id > @before", new { before })).AsList();
        return TimeBench.Tell(TimeBench.Invariant($"breach recorded after its instant, the last of {late.Count:N0} {how} (p50 {Meter.Percentile(late, 0.5):0.00} s)"), late.Max(), Seconds, "s");
    }
}
