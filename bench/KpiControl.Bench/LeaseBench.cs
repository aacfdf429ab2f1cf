using System.Globalization;
using Dapper;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Bench;

/// <summary>Runs a second end to end with full rows, beside pgbench writing the same rows on the same PostgreSQL in the same call.</summary>
internal static class LeaseBench
{
    private const int Slots = 4000;
    private const int WarmPasses = 4;
    private const int Passes = 3;
    private const int PgBenchSeconds = 10;

    public static async Task<int> RunAsync(int bindings, int rounds)
    {
        Console.WriteLine($"lease: {bindings:N0} hourly bindings due at once, one control process, one agent; {rounds} rounds, each beside pgbench");
        await PostgresFixture.StartServerAsync("fsync = on", "synchronous_commit = on", "autovacuum_naptime = 10s");
        var ratios = new List<double>();
        for (var round = 1; round <= rounds; round++)
            ratios.Add(await RoundAsync(round, bindings));
        await EvenlyAsync(10, "at rest: 10 a second");
        await EvenlyAsync(1000, "1,000 a second");
        await StormAsync(1000);
        await StormAsync(10_000);
        Console.WriteLine(Invariant($"ratio to pgbench, median of {rounds}: {Meter.Percentile(ratios, 0.5):0.00} (aim: 1)"));
        return 0;
    }

    private static async Task<double> RoundAsync(int round, int bindings)
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        await using var peer = await PostgresFixture.CreateDatabaseAsync();
        await using var issuer = await TestIssuer.StartAsync();
        var job = BindingSeed.Job("bench", "0 * * * *");
        const string Hour = "date_trunc('hour', now())";
        await using var control = await ControlProcess.StartAsync(database, issuer);
        await new BindingSeed(database).BindAsync(job, Hour, bindings);
        await using var agent = await BenchAgent.StartAsync(control.GrpcUrl, issuer, Slots);
        // The first passes compile the code and learn the plans.
        await agent.AcknowledgedAsync(bindings);
        for (var pass = 1; pass < WarmPasses; pass++)
            await LeasePass.RunAsync(database, agent, bindings);
        var ours = new Cost(0, 0, 0, 0, 0, 0);
        for (var pass = 0; pass < Passes; pass++)
            ours += await LeasePass.RunAsync(database, agent, bindings);
        var runs = bindings * Passes;

        var first = await new BindingSeed(peer).BindAsync(job, Hour, bindings);
        await using (var connection = await peer.OpenAsync())
            await connection.ExecuteAsync(PeerSessionSql);
        var document = await DocumentAsync(database);
        await LeasePass.SettleAsync(peer);
        var written = 0L;
        var theirs = await Meter.MeasureAsync(peer.Superuser, async () => written = await PgBench.RunAsync(peer, first, bindings, document, PgBenchSeconds));
        await SameRowsAsync(database, peer);

        var (rate, peerRate) = (runs / ours.Seconds, written / theirs.Seconds);
        Console.WriteLine(Invariant($"round {round}: {rate,8:N0} runs/s  {ours.WalBytes / runs,6:N0} B WAL/run  {ours.CpuSeconds / runs * 1e6,5:N0} us CPU/run (database {ours.DatabaseCpu / runs * 1e6:0}, control {ours.ControlCpu / runs * 1e6:0}, agent {ours.AgentCpu / runs * 1e6:0})   pgbench {peerRate,8:N0} runs/s  {theirs.WalBytes / written,6:N0} B WAL/run  {theirs.CpuSeconds / written * 1e6,5:N0} us   ratio {rate / peerRate:0.00}"));
        return rate / peerRate;
    }

    // What the last run left: all are alike.
    private static async Task<string> DocumentAsync(TestDatabase database)
    {
        await using var connection = await database.OpenAsync();
        return await connection.QuerySingleAsync<string>("SELECT document::text FROM kpi_evidence WHERE kind = 'run' ORDER BY evidence_id DESC LIMIT 1");
    }

    private const string PeerSessionSql =
        """
        INSERT INTO kpi_node (name, generation, expires_at) VALUES ('pgbench', 1, 'infinity');
        INSERT INTO kpi_session (agent, instance, region, node_id, node_generation, generation, build, slots) SELECT 'pgbench', gen_random_uuid(), 'eu', node_id, 1, 1, 'pgbench', 1 FROM kpi_node;
        """;

    // Cursors an even step apart: no cron expression says so, and the path does not know.
    private static async Task EvenlyAsync(int perSecond, string what)
    {
        const int Seconds = 20;
        var (runs, step) = (perSecond * Seconds, Invariant($"interval '{1.0 / perSecond} seconds'"));
        var delays = await DelaysAsync(runs, warm: runs / 4, $"clock_timestamp() + interval '5 seconds' + (binding_id - (SELECT min(binding_id) FROM kpi_job_runtime)) * {step}");
        Console.WriteLine(Invariant($"due -> agent, {what}: p50 {Meter.Percentile(delays, 0.5):0.0} ms, p99 {Meter.Percentile(delays, 0.99):0.0} ms, n = {delays.Count}"));
    }

    private static async Task StormAsync(int bindings)
    {
        var delays = await DelaysAsync(bindings, warm: 0, "date_trunc('second', clock_timestamp()) + interval '5 seconds'");
        Console.WriteLine(Invariant($"due -> agent, {bindings:N0} at one instant: p50 {Meter.Percentile(delays, 0.5):0} ms, last {delays.Max():0} ms"));
    }

    /// <param name="warm">So many of the first are not counted.</param>
    /// <param name="due">When each binding is due, in SQL.</param>
    private static async Task<List<double>> DelaysAsync(int bindings, int warm, string due)
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        await using var issuer = await TestIssuer.StartAsync();
        await using var control = await ControlProcess.StartAsync(database, issuer);
        await new BindingSeed(database).BindAsync(BindingSeed.Job("bench", "0 * * * *"), "date_trunc('hour', now())", bindings);
        await using var agent = await BenchAgent.StartAsync(control.GrpcUrl, issuer, Slots);
        await agent.AcknowledgedAsync(bindings);
        agent.Executor.TakeDelays();
        await using (var connection = await database.OpenAsync())
            await connection.ExecuteAsync($"UPDATE kpi_job_runtime SET next_run_at = {due}; SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_lane", commandTimeout: 600);
        await agent.AcknowledgedAsync(bindings);
        return [.. agent.Executor.TakeDelays().Skip(warm)];
    }

    // Bytes at rest, not counts alone: the peer must not win by writing less.
    private static async Task SameRowsAsync(TestDatabase ours, TestDatabase peer)
    {
        const string Sizes =
            """
            SELECT (SELECT avg(pg_column_size(h.*)) FROM kpi_job_history h)::float8, (SELECT avg(pg_column_size(r.*)) FROM kpi_job_runtime r WHERE last_run_at IS NOT NULL)::float8,
                   (SELECT avg(pg_column_size(e.*)) FROM kpi_evidence e)::float8
            """;
        var sizes = new List<(double History, double Runtime, double Evidence)>();
        foreach (var database in new[] { ours, peer })
        {
            await using var connection = await database.OpenAsync();
            sizes.Add(await connection.QuerySingleAsync<(double, double, double)>(Sizes));
        }
        foreach (var (name, a, b) in new[] { ("kpi_job_history", sizes[0].History, sizes[1].History), ("kpi_job_runtime", sizes[0].Runtime, sizes[1].Runtime), ("kpi_evidence", sizes[0].Evidence, sizes[1].Evidence) })
            if (Math.Abs(a - b) > 0.02 * a)
                throw new InvalidOperationException(Invariant($"{name}: a row takes {a:0.0} bytes here and {b:0.0} in the peer: not the same rows ({await KindsAsync(ours)} beside {await KindsAsync(peer)})"));
    }

    private static async Task<string> KindsAsync(TestDatabase database)
    {
        await using var connection = await database.OpenAsync();
        return await connection.QuerySingleAsync<string>(
            "SELECT string_agg(concat_ws(' ', n, status, reason, bytes), ', ') FROM (SELECT count(*) AS n, status, reason, round(avg(pg_column_size(h.*)), 1) AS bytes FROM kpi_job_history h GROUP BY 2, 3) kinds");
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
