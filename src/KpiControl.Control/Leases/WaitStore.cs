using KpiControl.Control.Database;
using Npgsql;

namespace KpiControl.Control.Leases;

/// <summary>Ends occurrences that could not start in time.</summary>
internal sealed class WaitStore(Databases databases)
{
    private const string ExpireSql =
        $"""
        WITH k AS MATERIALIZED (
          SELECT binding_id FROM kpi_parked WHERE deadline <= now() ORDER BY deadline LIMIT 1000
        ), locked AS MATERIALIZED (
          SELECT rt.binding_id FROM kpi_job_runtime rt JOIN k USING (binding_id) ORDER BY rt.binding_id FOR NO KEY UPDATE OF rt
        ), u AS (
          UPDATE kpi_job_runtime rt SET occ_state = NULL, occ_cancel = false FROM locked l
           WHERE rt.binding_id = l.binding_id AND rt.occ_state IN ('W', 'R') AND rt.occ_deadline <= now()
          RETURNING rt.binding_id, rt.tenant_id, rt.lane, rt.revision, rt.occ_scheduled_for, rt.occ_window_start, rt.occ_business_date, rt.occ_kind, rt.retry_count,
            rt.attempt_id, rt.occ_revision, rt.occ_lost_as, rt.fence_n,
            CASE WHEN rt.lane < 0 THEN 'paused' WHEN rt.occ_reason = {ReasonNumber.Dependency} THEN 'not_ready' WHEN rt.occ_reason = {ReasonNumber.Agent} THEN 'unroutable' ELSE 'missed_window' END AS why
        ), unparked AS (
          DELETE FROM kpi_parked p USING k WHERE p.binding_id = k.binding_id AND p.deadline <= now()
        ), unwaited AS (
          DELETE FROM kpi_occurrence_wait w USING u WHERE w.binding_id = u.binding_id
        ), h AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, scheduled_for, window_start, business_date, lane, retry_seq, final, status, reason, trigger_kind)
          SELECT nextval('kpi_fence'), tenant_id, binding_id, revision, occ_scheduled_for, occ_window_start, occ_business_date, abs(lane), retry_count, true, 'skipped', why, kpi_kind_name(occ_kind)
            FROM u RETURNING run_id
        ), lost AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, attempt_id, retry_seq, scheduled_for, window_start, business_date, lane, final, status, reason, trigger_kind)
          SELECT fence_n, tenant_id, binding_id, occ_revision, attempt_id, retry_count, occ_scheduled_for, occ_window_start, occ_business_date, abs(lane), false, 'lost',
                 CASE occ_lost_as WHEN {ReasonNumber.Returned} THEN 'returned' ELSE 'lease_lost' END, kpi_kind_name(occ_kind) FROM u WHERE attempt_id IS NOT NULL RETURNING run_id
        ), chained AS (
          INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(run_id) FROM (SELECT run_id FROM h UNION ALL SELECT run_id FROM lost) r HAVING count(*) > 0
        )
        SELECT (SELECT count(*) FROM u)::int, (SELECT count(*) FROM k)::int, now(), (SELECT min(deadline) FROM kpi_parked WHERE deadline > now())
        """;

    /// <summary>Skips what waited too long.</summary>
    /// <returns>How many ended, whether more are due, and how long until the next gives up (null: nothing waits).</returns>
    public async Task<WaitExpiry> ExpireAsync(CancellationToken token)
    {
        await using var command = databases.Scheduler.CreateCommand(ExpireSql);
        await using var reader = await command.ExecuteReaderAsync(token);
        await reader.ReadAsync(token);
        var now = reader.GetFieldValue<DateTimeOffset>(2);
        return new WaitExpiry(reader.GetInt32(0), reader.GetInt32(1) == 1000, reader.IsDBNull(3) ? null : reader.GetFieldValue<DateTimeOffset>(3) - now);
    }
}

internal sealed record WaitExpiry(int Ended, bool More, TimeSpan? NextIn);
