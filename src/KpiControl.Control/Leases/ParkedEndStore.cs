namespace KpiControl.Control.Leases;

/// <summary>Ends an occurrence in the runtime row that does not run: by hand, or for want of what it depends on. Whoever moves it first leaves no row to change here.</summary>
internal static class ParkedEndStore
{
    /// <summary>Takes <c>@bindingId @ScheduledFor @Kind @status @reason</c>; answers 1 where it ended.</summary>
    internal const string EndSql = $"""
        WITH u AS (
          UPDATE kpi_job_runtime SET occ_state = NULL, occ_cancel = false
           WHERE binding_id = @bindingId AND occ_state IN ('W', 'R') AND occ_scheduled_for = @ScheduledFor AND occ_kind = @Kind
          RETURNING binding_id, tenant_id, revision, occ_scheduled_for, occ_window_start, occ_business_date, occ_kind, retry_count, lane, attempt_id, occ_revision, occ_lost_as, fence_n, fence_epoch
        ), unparked AS (
          DELETE FROM kpi_parked p USING u WHERE p.binding_id = u.binding_id
        ), unwaited AS (
          DELETE FROM kpi_occurrence_wait w USING u WHERE w.binding_id = u.binding_id AND w.scheduled_for = u.occ_scheduled_for
        ), h AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, scheduled_for, window_start, business_date, lane, retry_seq, final, status, reason, trigger_kind)
          SELECT nextval('kpi_fence'), tenant_id, binding_id, revision, occ_scheduled_for, occ_window_start, occ_business_date, abs(lane), retry_count,
                 true, @status, @reason, kpi_kind_name(occ_kind) FROM u RETURNING run_id
        ), lost AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, attempt_id, retry_seq, scheduled_for, window_start, business_date, lane, final, status, reason, trigger_kind)
          SELECT fence_n, tenant_id, binding_id, occ_revision, attempt_id, retry_count, occ_scheduled_for, occ_window_start, occ_business_date, abs(lane), false, 'lost',
                 CASE occ_lost_as WHEN {ReasonNumber.Returned} THEN 'returned' ELSE 'lease_lost' END, kpi_kind_name(occ_kind) FROM u WHERE attempt_id IS NOT NULL RETURNING run_id
        ), chained AS (
          INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(run_id) FROM (SELECT run_id FROM h UNION ALL SELECT run_id FROM lost) r HAVING count(*) > 0
        ), told AS MATERIALIZED (
          SELECT pg_notify('kpi', 'queue ' || abs(lane)) FROM u
        )
        SELECT (SELECT count(*) FROM u)::int + 0 * (SELECT count(*) FROM told)::int
        """;
}
