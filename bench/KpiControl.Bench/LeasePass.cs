using Dapper;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Bench;

/// <summary>Every binding of a database becomes due once more and is run to its acknowledgement.</summary>
internal static class LeasePass
{
    public static async Task<Cost> RunAsync(TestDatabase database, BenchAgent agent, int bindings)
    {
        await using var connection = await database.OpenAsync();
        await connection.ExecuteAsync(RewindSql, commandTimeout: 600);
        await SettleAsync(database);
        return await Meter.MeasureAsync(database.Superuser, async () =>
        {
            agent.Executor.TakeDelays();
            await connection.ExecuteAsync("SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_lane");
            await agent.AcknowledgedAsync(bindings);
        });
    }

    private const string RewindSql = "UPDATE kpi_job_runtime SET next_run_at = next_run_at - interval '1 hour'";

    /// <summary>What an earlier phase left to do is done, and the server is one whose figures count.</summary>
    public static async Task SettleAsync(TestDatabase database)
    {
        await using var connection = new NpgsqlConnection(database.Superuser);
        await connection.OpenAsync();
        if (await connection.QuerySingleAsync<bool>("SELECT current_setting('fsync') <> 'on' OR current_setting('synchronous_commit') <> 'on'"))
            throw new InvalidOperationException("The server does not wait for its disk: nothing measured here would count.");
        await connection.ExecuteAsync(new CommandDefinition("VACUUM ANALYZE kpi_job_runtime, kpi_job_binding, kpi_binding_revision", commandTimeout: 600));
        await connection.ExecuteAsync(new CommandDefinition("CHECKPOINT", commandTimeout: 600, commandType: System.Data.CommandType.Text));
    }
}
