using Dapper;
using KpiControl.Control.Database;
using KpiControl.Control.Leases;
using KpiControl.Control.Signals;
using KpiControl.Testing;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KpiControl.Control.Tests.Signals;

/// <summary>Bindings with an open occurrence that waits, written as the dispatcher leaves them.</summary>
internal sealed class WaitingBindings : IAsyncDisposable
{
    private readonly TestDatabase database;
    private readonly Databases databases;
    private readonly NpgsqlConnection connection;

    private WaitingBindings(TestDatabase database, NpgsqlConnection connection)
    {
        (this.database, this.connection) = (database, connection);
        databases = new Databases(Options.Create(new DatabaseOptions { Requests = database.Requests, Scheduler = database.Scheduler }));
        Waits = new DependencyWaits(new DependencyStore(databases));
    }

    public DependencyWaits Waits { get; }

    public static async Task<WaitingBindings> CreateAsync()
    {
        var database = await PostgresFixture.CreateDatabaseAsync();
        var made = new WaitingBindings(database, await database.OpenAsync());
        await made.ExecuteAsync("""
            INSERT INTO kpi_tenant (tenant_id) VALUES ('acme'), ('other');
            INSERT INTO kpi_tenant_region VALUES ('acme', 'eu'), ('acme', 'us'), ('other', 'eu');
            INSERT INTO kpi_lane (region, priority) VALUES ('eu', 3);
            INSERT INTO kpi_job_def (content_hash, format, content, schema_version, tenant_id, canonical_json, created_by)
            VALUES ('sha256:' || repeat('0', 64), 'yaml', '', '1.0', 'acme', '{}', 'test');
            """);
        return made;
    }

    /// <summary>A binding that waits, for the business date 2026-01-01 in the slot at 02:00 of the next day.</summary>
    public async Task<long> WaitingAsync(string jobId, string region = "eu", string tenant = "acme", params string[] dependencies)
    {
        var id = await BindingAsync(jobId, region, tenant, "CFO-X-01");
        foreach (var dependency in dependencies)
            await ExecuteAsync("INSERT INTO kpi_job_dependency (binding_id, dep_type, dep_value, tenant_id) VALUES (@id, @type, @value, @tenant)",
                new { id, type = dependency.Split(':')[0], value = dependency.Split(':')[1], tenant });
        await OpenAsync(id, "2026-01-02T02:00:00Z");
        return id;
    }

    public Task OpenAsync(long id, string slot) => ExecuteAsync(
        """
        UPDATE kpi_job_runtime SET occ_state = 'W', occ_kind = 0, occ_scheduled_for = @slot::timestamptz, occ_window_start = @slot::timestamptz - interval '1 day',
               occ_business_date = (@slot::timestamptz AT TIME ZONE 'UTC')::date - 1, occ_reason = 1, occ_deadline = @slot::timestamptz + interval '23 hours'
         WHERE binding_id = @id
        """, new { id, slot });

    public async Task<long> BindingAsync(string jobId, string region, string tenant, string kpi, string cron = "0 2 * * *", bool active = true)
    {
        var id = await connection.ExecuteScalarAsync<long>("""
            INSERT INTO kpi_job_binding (def_id, tenant_id, environment, region, job_id, kpi_id, contract_version, schedule_cron, timezone, created_by, active_flag)
            SELECT def_id, @tenant, 'dev', @region, @jobId, @kpi, '1.0.0', @cron, 'UTC', 'test', @active FROM kpi_job_def LIMIT 1 RETURNING binding_id
            """, new { tenant, region, jobId, kpi, cron, active });
        await ExecuteAsync("INSERT INTO kpi_job_runtime (binding_id, lane, tenant_id) VALUES (@id, 1, @tenant)", new { id, tenant });
        return id;
    }

    public Task SucceededAsync(long id, string slot, string kind = "schedule", string status = "success") => ExecuteAsync(
        """
        WITH h AS (
          INSERT INTO kpi_job_history (run_id, binding_id, scheduled_for, revision, business_date, lane, final, tenant_id, status, trigger_kind)
          VALUES (nextval('kpi_fence'), @id, @slot::timestamptz, 1, '2026-01-01', 1, true, 'acme', @status, @kind) RETURNING run_id)
        INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(run_id) FROM h
        """, new { id, slot, kind, status });

    public Task SignalAsync(string name, string? businessDate, string publishedAt, string? region = null) => ExecuteAsync(
        """
        INSERT INTO kpi_signal (tenant_id, environment, region, name, business_date, published_at, published_by)
        VALUES ('acme', 'dev', @region, @name, @businessDate::date, @publishedAt::timestamptz, 'test')
        """, new { name, businessDate, publishedAt, region });

    public Task RefreshAsync(string dataset, string through, string? region = null) => ExecuteAsync(
        """
        INSERT INTO kpi_refresh (tenant_id, environment, region, dataset, data_through, source_run, published_by)
        VALUES ('acme', 'dev', @region, @dataset, @through::timestamptz, gen_random_uuid()::text, 'test')
        """, new { dataset, through, region });

    /// <summary>What a dispatcher of the lane finds ready.</summary>
    public async Task<IReadOnlyList<long>> ReadyAsync(short lane) =>
        [.. (await new ReadyStore(databases).ScanAsync(lane, ["acme"], null, 100, CancellationToken.None)).Rows.Select(row => row.BindingId)];

    public async Task<string> StateAsync(long id) =>
        (await connection.ExecuteScalarAsync<string>("SELECT occ_state::text FROM kpi_job_runtime WHERE binding_id = @id", new { id }))!;

    public Task<int> CountAsync(string table, long id) =>
        connection.ExecuteScalarAsync<int>($"SELECT count(*)::int FROM {table} WHERE binding_id = @id", new { id });

    public Task ExecuteAsync(string sql, object? parameters = null) => connection.ExecuteAsync(sql, parameters);

    public async ValueTask DisposeAsync()
    {
        await connection.DisposeAsync();
        await databases.DisposeAsync();
        await InvariantCheck.HoldAsync(database);
        await database.DisposeAsync();
    }
}
