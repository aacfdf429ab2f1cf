using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.OpenLineage;

/// <summary>The outbox of lineage events: filled from what runs and from the chain, claimed, and how each ended.</summary>
internal sealed class LineageOutboxStore(Databases databases)
{
    private const string StartsSql =
        """
        INSERT INTO kpi_lineage_event (tenant_id, binding_id, revision, attempt_id, event_type, scheduled_for)
        SELECT o.tenant_id, o.binding_id, o.revision, o.attempt_id, 'START', o.scheduled_for
          FROM kpi_open_occurrence o WHERE o.state = 'leased' AND o.attempt_id IS NOT NULL AND (@tenants::text[] IS NULL OR o.tenant_id = ANY (@tenants))
        ON CONFLICT (attempt_id, event_type) DO NOTHING
        """;

    /// <summary>Runs that have started.</summary>
    public Task StartsAsync(string[]? tenants, CancellationToken token) => ExecuteAsync(StartsSql, new { tenants }, token);

    // Of a tenant that gets its first receiver nothing is told that was over before.
    private const string BeginSql =
        """
        INSERT INTO kpi_lineage_cursor (tenant_id, seq) SELECT t.tenant_id, COALESCE(h.seq, 0) FROM kpi_tenant t LEFT JOIN kpi_chain_head h USING (tenant_id)
         WHERE @tenants::text[] IS NULL OR t.tenant_id = ANY (@tenants)
        ON CONFLICT (tenant_id) DO NOTHING
        """;

    public Task BeginAsync(string[]? tenants, CancellationToken token) => ExecuteAsync(BeginSql, new { tenants }, token);

    private const string CollectSql =
        """
        WITH mine AS (
          SELECT c.tenant_id, c.seq, LEAST(h.seq, c.seq + 20) AS till FROM kpi_lineage_cursor c JOIN kpi_chain_head h USING (tenant_id)
           WHERE h.seq > c.seq AND (@tenants::text[] IS NULL OR c.tenant_id = ANY (@tenants)) ORDER BY c.tenant_id FOR UPDATE OF c SKIP LOCKED
        ), ended AS (
          SELECT l.seq, h.* FROM mine m JOIN kpi_chain_link l ON l.tenant_id = m.tenant_id AND l.seq > m.seq AND l.seq <= m.till
           CROSS JOIN LATERAL unnest(l.row_kinds::text[], l.row_ids, l.row_times) AS r(kind, id, at)
            JOIN kpi_job_history h ON h.run_id = r.id AND h.recorded_at = r.at
           WHERE r.kind = 'h' AND h.attempt_id IS NOT NULL AND h.status <> 'skipped'
        ), told AS (
          INSERT INTO kpi_lineage_event (tenant_id, binding_id, revision, attempt_id, event_type, run_id, scheduled_for)
          SELECT e.tenant_id, e.binding_id, e.revision, e.attempt_id, t.event_type, e.run_id, e.scheduled_for
            FROM ended e CROSS JOIN LATERAL (VALUES (0, 'START'),
                   (1, CASE WHEN e.status IN ('success', 'partial') THEN 'COMPLETE' WHEN e.status IN ('failed', 'suppressed') THEN 'FAIL' ELSE 'ABORT' END)) AS t(ord, event_type)
           ORDER BY e.seq, e.run_id, t.ord
          ON CONFLICT (attempt_id, event_type) DO NOTHING
        ), moved AS (
          UPDATE kpi_lineage_cursor c SET seq = m.till FROM mine m WHERE c.tenant_id = m.tenant_id RETURNING 1
        )
        SELECT count(*)::int FROM moved
        """;

    /// <summary>Runs that have ended, from the links of the chain that nobody has looked through.</summary>
    /// <returns>In how many tenants' chains there was something; ask again while it is not 0.</returns>
    public async Task<int> CollectAsync(string[]? tenants, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return await connection.QuerySingleAsync<int>(new CommandDefinition(CollectSql, new { tenants }, cancellationToken: token));
    }

    // One attempt's events leave in their order: an end waits until its start was taken or given up.
    private const string ClaimSql =
        """
        UPDATE kpi_lineage_event e SET tries = e.tries + 1, next_at = now() + @claimedFor::interval
         WHERE e.event_id IN (
           SELECT p.event_id FROM kpi_lineage_event p
            WHERE p.state = 'pending' AND p.next_at <= now() AND (@tenants::text[] IS NULL OR p.tenant_id = ANY (@tenants))
              AND NOT EXISTS (SELECT FROM kpi_lineage_event s WHERE s.attempt_id = p.attempt_id AND s.event_type = 'START' AND s.state = 'pending' AND s.event_id <> p.event_id)
            ORDER BY p.event_id LIMIT @most FOR UPDATE SKIP LOCKED)
        RETURNING e.event_id
        """;

    public async Task<long[]> ClaimAsync(string[]? tenants, int most, TimeSpan claimedFor, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return [.. await connection.QueryAsync<long>(new CommandDefinition(ClaimSql, new { tenants, most, claimedFor }, cancellationToken: token))];
    }

    private const string FactsSql =
        """
        SELECT e.event_id, e.tries, e.created_at, e.tenant_id, e.event_type, e.attempt_id, e.scheduled_for, b.environment, b.region, b.job_id, d.content_hash, v.contract_digest,
               d.canonical_json::jsonb ->> 'kpi_id' AS kpi_id, d.canonical_json::jsonb ->> 'contract_version' AS contract_version,
               h.run_id, h.status, h.window_start, h.business_date, h.trigger_kind, h.started_at, h.finished_at, h.recorded_at, h.reason, h.error_code, h.error_message, h.data_points, h.retry_seq,
               x.document::text AS document
          FROM kpi_lineage_event e
          JOIN kpi_job_binding b USING (binding_id)
          JOIN kpi_binding_revision v ON v.binding_id = e.binding_id AND v.revision = e.revision
          JOIN kpi_job_def d ON d.def_id = v.def_id
          LEFT JOIN LATERAL (SELECT * FROM kpi_job_history h WHERE h.run_id = e.run_id AND h.binding_id = e.binding_id AND h.attempt_id = e.attempt_id ORDER BY h.recorded_at DESC LIMIT 1) h ON true
          LEFT JOIN LATERAL (SELECT x.document FROM kpi_evidence x WHERE x.run_id = h.run_id AND x.binding_id = h.binding_id AND x.attempt_id = h.attempt_id AND x.kind = 'run' LIMIT 1) x ON true
         WHERE e.event_id = ANY (@ids) ORDER BY e.event_id
        """;

    public async Task<IReadOnlyList<LineageFacts>> FactsAsync(long[] ids, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<LineageFacts>(new CommandDefinition(FactsSql, new { ids }, cancellationToken: token))).AsList();
    }

    private const string EndSql =
        """
        UPDATE kpi_lineage_event SET state = CASE WHEN @error::text IS NULL THEN 'sent' WHEN COALESCE(resent_at, created_at) < now() - @keptFor::interval THEN 'dead' ELSE 'pending' END,
               sent_at = CASE WHEN @error::text IS NULL THEN now() END,
               ended_at = CASE WHEN @error::text IS NULL OR COALESCE(resent_at, created_at) < now() - @keptFor::interval THEN now() END, last_error = left(@error, 500), next_at = now() + @pause::interval
         WHERE event_id = @eventId AND tries = @tries AND state = 'pending'
        RETURNING state
        """;

    /// <returns>What it is now; null where another node claimed it meanwhile.</returns>
    public async Task<string?> EndAsync(long eventId, int tries, string? error, TimeSpan pause, TimeSpan keptFor, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return await connection.QuerySingleOrDefaultAsync<string>(new CommandDefinition(EndSql, new { eventId, tries, error, pause, keptFor }, cancellationToken: token));
    }

    private const string ForgetSql =
        """
        DELETE FROM kpi_lineage_event WHERE event_id IN (SELECT event_id FROM kpi_lineage_event WHERE state <> 'pending' AND ended_at < now() - @keptFor::interval ORDER BY ended_at LIMIT 5000)
        """;

    public Task ForgetAsync(TimeSpan keptFor, CancellationToken token) => ExecuteAsync(ForgetSql, new { keptFor }, token);

    private async Task ExecuteAsync(string sql, object parameters, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await connection.ExecuteAsync(new CommandDefinition(sql, parameters, cancellationToken: token));
    }
}
