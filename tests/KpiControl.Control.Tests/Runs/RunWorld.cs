using Dapper;
using KpiControl.Control.Runs;
using KpiControl.Control.Security;
using KpiControl.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace KpiControl.Control.Tests.Runs;

/// <summary>One job of acme's in dev, at 02:00 UTC daily since the first of January 2026, on a real node.</summary>
internal sealed class RunWorld : IAsyncDisposable
{
    private readonly TestDatabase database;
    private readonly TestIssuer issuer;

    private RunWorld(TestDatabase database, TestIssuer issuer, ControlHost host) => (this.database, this.issuer, Host) = (database, issuer, host);

    public ControlHost Host { get; }

    public long Binding { get; private set; }

    public RunReads Reads => Host.Services.GetRequiredService<RunReads>();

    public static Caller Admin { get; } = new("ann", [new Grant("acme", "*", "admin")]);

    public static Caller Viewer { get; } = new("vic", [new Grant("acme", "dev", "viewer")]);

    public static Caller Stranger { get; } = new("eve", [new Grant("globex", "*", "admin")]);

    public static async Task<RunWorld> CreateAsync()
    {
        var database = await PostgresFixture.CreateDatabaseAsync();
        var issuer = await TestIssuer.SharedAsync();
        var world = new RunWorld(database, issuer, await ControlHost.StartAsync(database, issuer));
        world.Binding = await world.ScalarAsync("""
            WITH d AS (INSERT INTO kpi_job_def (content_hash, format, content, schema_version, tenant_id, canonical_json, created_by)
                       VALUES ('sha256:' || repeat('0', 64), 'yaml', '', '1.0', 'acme', '{}', 'ann') RETURNING def_id),
            b AS (INSERT INTO kpi_job_binding (def_id, tenant_id, environment, region, job_id, kpi_id, contract_version, schedule_cron, timezone, created_by)
                  SELECT def_id, 'acme', 'dev', 'eu', 'dso_daily', 'CFO-EF-02', '1.1.0', '0 2 * * *', 'UTC', 'ann' FROM d RETURNING binding_id, def_id),
            r AS (INSERT INTO kpi_binding_revision (binding_id, revision, tenant_id, def_id, contract_digest, schedule_cron, timezone, schedule_extra,
                         active, zone_version, effective_from, first_slot_after, changed_by)
                  SELECT binding_id, 1, 'acme', def_id, 'sha256:c', '0 2 * * *', 'UTC', '{}', true, '2026a', '2026-01-01', '2026-01-01', 'ann' FROM b),
            t AS (INSERT INTO kpi_job_runtime (binding_id, lane, tenant_id, next_run_at) SELECT binding_id, 1, 'acme', now() + interval '1 hour' FROM b)
            SELECT binding_id FROM b
            """);
        return world;
    }

    /// <returns>The run's number.</returns>
    public Task<long> RunAsync(string slot, string status = "success", bool final = true, string? reason = null, string kind = "schedule", Guid? attempt = null,
        string? code = null, DateTimeOffset? recordedAt = null, string startedAfter = "0") =>
        ScalarAsync("""
            INSERT INTO kpi_job_history (run_id, binding_id, scheduled_for, started_at, finished_at, revision, business_date, lane, final, tenant_id,
                   status, trigger_kind, reason, attempt_id, fence_epoch, error_code, recorded_at, rows_processed)
            VALUES (nextval('kpi_fence'), @Binding, @slot::timestamptz, CASE WHEN @status <> 'skipped' THEN @slot::timestamptz + @startedAfter::interval END,
                   @slot::timestamptz + @startedAfter::interval + interval '5 seconds', 1,
                   (@slot::timestamptz AT TIME ZONE 'UTC')::date - 1, 1, @final, 'acme', @status, @kind, @reason, @attempt,
                   CASE WHEN @attempt::uuid IS NOT NULL THEN 1 END, @code, coalesce(@recordedAt, now()), 7)
            RETURNING run_id
            """, new { Binding, slot, status, final, reason, kind, attempt, code, recordedAt, startedAfter });

    public Task<long> ScalarAsync(string sql, object? parameters = null) => WithAsync(c => c.ExecuteScalarAsync<long>(sql, parameters));

    public Task<string> TextAsync(string sql, object? parameters = null) => WithAsync(async c => await c.ExecuteScalarAsync<string>(sql, parameters) ?? "");

    public Task<int> ExecuteAsync(string sql, object? parameters = null) => WithAsync(c => c.ExecuteAsync(sql, parameters));

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        await database.DisposeAsync();
    }

    private async Task<T> WithAsync<T>(Func<Npgsql.NpgsqlConnection, Task<T>> run)
    {
        await using var connection = await database.OpenAsync();
        return await run(connection);
    }
}
