using Dapper;
using KpiControl.Control.Database;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Overrides;

/// <summary>Writes down that overrides ran out, under the scheduler's role.</summary>
internal sealed class OverrideExpiryStore(Databases databases)
{
    // Whoever sets, clears or rebinds holds the runtime row and leaves another revision: what was seen before that is left for the
    // next pass, so a lane is never computed from a definition that is bound no longer. However many nodes race, one ends a row.
    // Of a lane: what is parked or queued in it moves along, as in every edit.
    private const string Expire = """
        WITH due AS MATERIALIZED (
          SELECT o.override_id, o.binding_id, o.tenant_id, o.kind, o.value, o.expires_at, b.environment, b.revision, l.lane
            FROM kpi_override o JOIN kpi_job_binding b USING (binding_id) JOIN kpi_job_def d USING (def_id)
            LEFT JOIN kpi_lane l ON o.kind = 'priority' AND l.region = b.region AND l.priority = coalesce((d.canonical_json::jsonb #>> '{run,priority}')::int, @priority)
           WHERE o.ended_at IS NULL AND o.expires_at <= now()
           ORDER BY o.binding_id LIMIT 500
        ), locked AS MATERIALIZED (
          SELECT rt.binding_id, rt.revision, abs(rt.lane)::smallint AS lane FROM kpi_job_runtime rt
           WHERE rt.binding_id IN (SELECT binding_id FROM due) ORDER BY rt.binding_id FOR NO KEY UPDATE
        ), ended AS (
          UPDATE kpi_override o SET ended_at = o.expires_at, ended_by = 'system', ending = 'expired', end_reason = 'expired'
            FROM due JOIN locked USING (binding_id, revision) WHERE o.override_id = due.override_id AND o.ended_at IS NULL
          RETURNING o.override_id, o.binding_id, due.tenant_id, due.environment, due.lane, locked.lane AS from_lane, o.kind, o.value, o.expires_at
        ), moved AS (
          UPDATE kpi_job_runtime rt SET lane = CASE WHEN rt.lane > 0 THEN e.lane ELSE -e.lane END
            FROM ended e WHERE rt.binding_id = e.binding_id AND e.lane <> e.from_lane
          RETURNING rt.binding_id, e.lane, e.from_lane, rt.occ_lane
        ), parked AS (
          UPDATE kpi_parked p SET lane = m.lane FROM moved m WHERE p.binding_id = m.binding_id AND m.occ_lane IS NULL
        ), queued AS (
          UPDATE kpi_occurrence o SET lane = m.lane FROM moved m WHERE o.binding_id = m.binding_id AND o.lane = m.from_lane
        ), audited AS (
          INSERT INTO kpi_audit (tenant_id, environment, actor, verb, object_kind, object_id, reason, before, after)
          SELECT tenant_id, environment, 'system', 'ScheduleEdit', 'binding', binding_id::text, 'expired',
                 jsonb_build_object('override', jsonb_build_object('override_id', override_id, 'kind', kind, 'value', value, 'expires_at', expires_at)), jsonb_build_object('override', NULL)
            FROM ended RETURNING audit_id
        ), chained AS (
          INSERT INTO kpi_chain_pending (audit_ids) SELECT array_agg(audit_id) FROM audited HAVING count(*) > 0
        ), told AS MATERIALIZED (
          SELECT pg_notify('kpi', what || ' ' || m.lane) FROM (SELECT DISTINCT lane FROM moved) m, unnest(ARRAY['lane', 'ready', 'queue']) AS what
        )
        SELECT (SELECT count(*) FROM ended)::int AS ended, (SELECT count(*) FROM told)::int AS told
        """;

    /// <returns>How many this call ended.</returns>
    public async Task<int> ExpireAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QuerySingleAsync<ExpiredRow>(new CommandDefinition(Expire, new { priority = new JobRun().Priority }, cancellationToken: token))).Ended;
    }

    private sealed record ExpiredRow
    {
        public int Ended { get; init; }
        public int Told { get; init; }
    }
}
