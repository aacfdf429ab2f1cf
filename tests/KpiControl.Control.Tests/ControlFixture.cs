using Dapper;
using KpiControl.Testing;

namespace KpiControl.Control.Tests;

/// <summary>A node with a database and an issuer, one a test class.</summary>
public sealed class ControlFixture : IAsyncLifetime
{
    public TestDatabase Database { get; private set; } = null!;

    public TestIssuer Issuer { get; private set; } = null!;

    public ControlHost Host { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Database = await PostgresFixture.CreateDatabaseAsync();
        Issuer = await TestIssuer.SharedAsync();
        Host = await ControlHost.StartAsync(Database, Issuer);
    }

    public async Task<T?> ScalarAsync<T>(string sql, object? parameters = null)
    {
        await using var connection = await Database.OpenAsync();
        return await connection.ExecuteScalarAsync<T>(sql, parameters);
    }

    public async Task<IReadOnlyList<string>> ListAsync(string sql, object? parameters = null)
    {
        await using var connection = await Database.OpenAsync();
        return (await connection.QueryAsync<string>(sql, parameters)).AsList();
    }

    /// <summary>Until a statement of this database waits for what another one holds.</summary>
    public Task UntilSomebodyWaitsAsync() => Eventually.ComesAsync("somebody waits for a lock", async _ =>
        await ScalarAsync<string?>("SELECT 'waits' FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database()) LIMIT 1"));

    public async Task RunAsync(string sql, object? parameters = null)
    {
        await using var connection = await Database.OpenAsync();
        await connection.ExecuteAsync(sql, parameters);
    }

    /// <summary>Everything that a mutation may have written, in numbers: equal before and after where nothing changed.</summary>
    public Task<string?> FootprintAsync() => ScalarAsync<string>("""
        SELECT concat_ws(' ', (SELECT count(*) FROM kpi_job_def), (SELECT count(*) FROM kpi_job_binding), (SELECT count(*) FROM kpi_binding_revision),
          (SELECT count(*) FROM kpi_contract), (SELECT count(*) FROM kpi_calendar), (SELECT count(*) FROM kpi_audit), (SELECT count(*) FROM kpi_chained), (SELECT count(*) FROM kpi_pause),
          (SELECT count(*) FROM kpi_pause_end), (SELECT md5(string_agg(o::text, ',' ORDER BY o.override_id)) FROM kpi_override o), (SELECT count(*) FROM kpi_occurrence), (SELECT count(*) FROM kpi_slot), (SELECT count(*) FROM kpi_request),
          (SELECT count(*) FROM kpi_job_history), (SELECT sum(queued) FROM kpi_job_runtime), (SELECT md5(string_agg(b::text, ',' ORDER BY b.binding_id)) FROM kpi_job_binding b))
        """);

    public async ValueTask DisposeAsync()
    {
        // An INTERNAL on the wire says nothing of the cause; the node's log does.
        foreach (var line in Host.Logs.Lines.Where(line => line.StartsWith("Error", StringComparison.Ordinal)))
            await Console.Error.WriteLineAsync(line);
        await Host.DisposeAsync();
        await InvariantCheck.HoldAsync(Database);
        await Database.DisposeAsync();
    }
}
