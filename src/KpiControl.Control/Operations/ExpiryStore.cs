using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Operations;

/// <summary>Ends pauses whose time has come, under the scheduler's role.</summary>
internal sealed class ExpiryStore(Databases databases)
{
    // However many nodes race here: the primary key of kpi_pause_end lets one of them end a pause, and that one audits it.
    // The join with locked is the order of the locks: the runtime row first, as whoever pauses or resumes takes them. Without
    // it PostgreSQL may end the pauses first, and meet in a deadlock one who holds the row and ends the same pause.
    private const string Expire = """
        WITH due AS MATERIALIZED (
          SELECT p.pause_id, p.binding_id, p.tenant_id, p.paused_until, b.environment
            FROM kpi_pause p JOIN kpi_job_binding b USING (binding_id)
           WHERE p.paused_until <= now() AND NOT EXISTS (SELECT FROM kpi_pause_end e WHERE e.pause_id = p.pause_id)
           ORDER BY p.binding_id LIMIT 500
        ), locked AS MATERIALIZED (
          SELECT rt.binding_id FROM kpi_job_runtime rt JOIN due USING (binding_id) ORDER BY rt.binding_id FOR NO KEY UPDATE OF rt
        ), resumed AS (
          UPDATE kpi_job_runtime rt SET paused_until = NULL, lane = CASE WHEN rt.active THEN abs(rt.lane) ELSE -abs(rt.lane) END
            FROM due JOIN locked USING (binding_id) WHERE rt.binding_id = due.binding_id AND rt.paused_until = due.paused_until
          RETURNING abs(rt.lane) AS lane
        ), ended AS (
          INSERT INTO kpi_pause_end (pause_id, tenant_id, ended_at, reason, ended_by)
          SELECT pause_id, tenant_id, paused_until, 'expired', 'system' FROM due JOIN locked USING (binding_id)
          ON CONFLICT (pause_id) DO NOTHING RETURNING pause_id
        ), audited AS (
          INSERT INTO kpi_audit (tenant_id, environment, actor, verb, object_kind, object_id, reason, before, after)
          SELECT due.tenant_id, due.environment, 'system', 'Resume', 'binding', due.binding_id::text, 'expired',
                 jsonb_build_object('paused', true, 'paused_until', due.paused_until), jsonb_build_object('paused', false)
            FROM due JOIN ended USING (pause_id) RETURNING audit_id
        ), chained AS (
          INSERT INTO kpi_chain_pending (audit_ids) SELECT array_agg(audit_id) FROM audited HAVING count(*) > 0
        ), told AS MATERIALIZED (
          SELECT pg_notify('kpi', what || ' ' || l.lane) FROM (SELECT DISTINCT lane FROM resumed) l, unnest(ARRAY['lane', 'ready', 'queue']) AS what
        )
        SELECT (SELECT count(*) FROM ended)::int AS ended, (SELECT count(*) FROM due)::int AS seen, (SELECT count(*) FROM told)::int AS told
        """;

    /// <returns>How many pauses this call ended.</returns>
    public async Task<int> ExpireAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QuerySingleAsync<ExpiredRow>(new CommandDefinition(Expire, cancellationToken: token))).Ended;
    }

    private const string Next = """
        SELECT min(p.paused_until) - now() FROM kpi_pause p
         WHERE p.paused_until > now() AND p.paused_until < 'infinity' AND NOT EXISTS (SELECT FROM kpi_pause_end e WHERE e.pause_id = p.pause_id)
        """;

    /// <returns>How long until the next pause ends; null where none is to.</returns>
    public async Task<TimeSpan?> NextInAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return await connection.QuerySingleAsync<TimeSpan?>(new CommandDefinition(Next, cancellationToken: token));
    }

    private sealed record ExpiredRow
    {
        public int Ended { get; init; }
        public int Seen { get; init; }
        public int Told { get; init; }
    }
}
