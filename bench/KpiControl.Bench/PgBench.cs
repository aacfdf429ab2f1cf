using System.Diagnostics;
using System.Globalization;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Bench;

/// <summary>The peer: pgbench writing the same tables, columns and indexes, two clients, batches of 100, prepared.</summary>
internal static class PgBench
{
    private const int Clients = 2;

    /// <param name="document">The evidence that each run leaves.</param>
    /// <returns>Runs that were written.</returns>
    public static async Task<long> RunAsync(TestDatabase database, long firstBinding, int bindings, string document, int seconds)
    {
        var target = new NpgsqlConnectionStringBuilder(database.Superuser);
        await using var data = NpgsqlDataSource.Create(database.Superuser);
        var before = await CountAsync(data);
        var start = new ProcessStartInfo("/usr/bin/env", ["pgbench", "-n", "-M", "prepared", "-c", $"{Clients}", "-j", $"{Clients}", "-T", $"{seconds}",
            "-D", $"base={firstBinding}", "-D", $"blocks={bindings / 100 / Clients}", "-D", $"clients={Clients}", "-D", "session=1", "-D", $"document={document}",
            "-f", Path.Combine(AppContext.BaseDirectory, "pgbench-lease.sql"), "-h", target.Host!, "-p", target.Port.ToString(CultureInfo.InvariantCulture), "-U", target.Username!, target.Database!])
        { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PGPASSWORD"] = target.Password;
        start.Environment["PATH"] = $"{Environment.GetEnvironmentVariable("PATH")}:/usr/lib/postgresql/15/bin:/usr/lib/postgresql/16/bin:/usr/lib/postgresql/17/bin";
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"pgbench failed: {await errors}{await output}");
        return await CountAsync(data) - before;
    }

    private static async Task<long> CountAsync(NpgsqlDataSource data)
    {
        await using var command = data.CreateCommand("SELECT count(*) FROM kpi_job_history");
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
