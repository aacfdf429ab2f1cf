using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Leases;

/// <summary>Overlap <c>cancel_previous</c>: a slot that queues ends the scheduled one before it; of several that queue the newest stays.</summary>
internal sealed class OvertakeStore(Databases databases)
{
    // Runtime rows first, in order. The slot queued in an earlier commit: a crash in between is made good by the next look at the lane's queue.
    private const string LockSql =
        $"""
        SELECT rt.binding_id FROM kpi_job_runtime rt
         WHERE rt.binding_id IN (SELECT binding_id FROM kpi_occurrence WHERE lane = @lane AND kind = {KindNumber.Schedule} AND reason = 'cancel_previous')
         ORDER BY rt.binding_id FOR NO KEY UPDATE
        """;

    private const string SupersedeSql =
        $"""
        WITH old AS (
          DELETE FROM kpi_occurrence o
           WHERE o.binding_id = ANY (@ids) AND o.kind = {KindNumber.Schedule} AND o.reason = 'cancel_previous' AND EXISTS (
             SELECT FROM kpi_occurrence n WHERE n.binding_id = o.binding_id AND n.kind = {KindNumber.Schedule} AND n.reason = 'cancel_previous' AND n.scheduled_for > o.scheduled_for)
          RETURNING o.*
        ), counted AS (
          UPDATE kpi_job_runtime rt SET queued = rt.queued - c.n FROM (SELECT binding_id, count(*)::int AS n FROM old GROUP BY 1) c WHERE rt.binding_id = c.binding_id
        ), h AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, scheduled_for, window_start, business_date, lane, final, status, reason, trigger_kind)
          SELECT nextval('kpi_fence'), tenant_id, binding_id, revision, scheduled_for, window_start, business_date, lane, true, 'skipped', 'superseded', 'schedule' FROM old RETURNING run_id
        )
        INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(run_id) FROM h HAVING count(*) > 0
        """;

    private const string EndSql =
        $"""
        WITH newer AS (
          SELECT binding_id, max(scheduled_for) AS slot FROM kpi_occurrence WHERE binding_id = ANY (@ids) AND kind = {KindNumber.Schedule} AND reason = 'cancel_previous' GROUP BY 1
        ), asked AS (
          UPDATE kpi_job_runtime rt SET occ_cancel = true FROM newer n
           WHERE rt.binding_id = n.binding_id AND rt.occ_state = 'L' AND NOT rt.occ_cancel AND rt.occ_kind = {KindNumber.Schedule} AND rt.occ_scheduled_for < n.slot
          RETURNING rt.session_id, rt.attempt_id
        ), ended AS (
          UPDATE kpi_job_runtime rt SET occ_state = NULL, occ_cancel = false FROM newer n
           WHERE rt.binding_id = n.binding_id AND rt.occ_state IN ('W', 'R') AND rt.occ_kind = {KindNumber.Schedule} AND rt.occ_scheduled_for < n.slot
          RETURNING rt.binding_id, rt.tenant_id, rt.revision, rt.occ_scheduled_for, rt.occ_window_start, rt.occ_business_date, rt.retry_count, rt.lane,
            rt.occ_kind, rt.attempt_id, rt.occ_revision, rt.occ_lost_as, rt.fence_n, rt.fence_epoch
        ), unparked AS (
          DELETE FROM kpi_parked p USING ended WHERE p.binding_id = ended.binding_id
        ), unwaited AS (
          DELETE FROM kpi_occurrence_wait w USING ended WHERE w.binding_id = ended.binding_id
        ), h AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, scheduled_for, window_start, business_date, lane, retry_seq, final, status, reason, trigger_kind)
          SELECT nextval('kpi_fence'), tenant_id, binding_id, revision, occ_scheduled_for, occ_window_start, occ_business_date, abs(lane), retry_count, true, 'cancelled', 'cancel_previous', 'schedule'
            FROM ended RETURNING run_id
        ), lost AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, attempt_id, retry_seq, scheduled_for, window_start, business_date, lane, final, status, reason, trigger_kind)
          SELECT fence_n, tenant_id, binding_id, occ_revision, attempt_id, retry_count, occ_scheduled_for, occ_window_start, occ_business_date, abs(lane), false, 'lost',
                 CASE occ_lost_as WHEN {ReasonNumber.Returned} THEN 'returned' ELSE 'lease_lost' END, kpi_kind_name(occ_kind) FROM ended WHERE attempt_id IS NOT NULL RETURNING run_id
        ), chained AS (
          INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(run_id) FROM (SELECT run_id FROM h UNION ALL SELECT run_id FROM lost) r HAVING count(*) > 0
        ), told AS MATERIALIZED (
          SELECT pg_notify('kpi', format('cancel %s %s', session_id, attempt_id)) FROM asked
        )
        SELECT (SELECT count(*) FROM told)::int + (SELECT count(*) FROM ended)::int
        """;

    public async Task OvertakeAsync(short lane, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        var ids = (await connection.QueryAsync<long>(new CommandDefinition(LockSql, new { lane }, transaction, cancellationToken: token))).ToArray();
        if (ids.Length == 0)
            return;
        await connection.ExecuteAsync(new CommandDefinition(SupersedeSql, new { ids }, transaction, cancellationToken: token));
        await connection.ExecuteScalarAsync<int>(new CommandDefinition(EndSql, new { ids }, transaction, cancellationToken: token));
        await transaction.CommitAsync(token);
    }
}
