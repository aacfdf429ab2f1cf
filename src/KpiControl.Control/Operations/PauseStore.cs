using KpiControl.Control.Requests;

namespace KpiControl.Control.Operations;

internal sealed record PausedRow
{
    public short Lane { get; init; }
    public bool WasPaused { get; init; }
}

/// <summary>Pauses: a column of the runtime row that every grant tests, and intervals that are only added to.</summary>
internal static class PauseStore
{
    // A pause that is moved ends and another begins; one that had run out ended then, whoever notices first, and whoever does audits it.
    // now() is when a transaction began: one that waited for the row may have begun before the pause that it ends.
    private const string End = """
        WITH ended AS (
          INSERT INTO kpi_pause_end (pause_id, tenant_id, ended_at, reason, ended_by)
          SELECT p.pause_id, p.tenant_id, GREATEST(p.paused_at, LEAST(now(), p.paused_until)), CASE WHEN p.paused_until <= now() THEN 'expired' ELSE @reason END,
                 CASE WHEN p.paused_until <= now() THEN 'system' ELSE @by END
            FROM kpi_pause p
           WHERE p.binding_id = @bindingId AND NOT EXISTS (SELECT FROM kpi_pause_end e WHERE e.pause_id = p.pause_id)
          ON CONFLICT (pause_id) DO NOTHING RETURNING pause_id, ended_by
        ), audited AS (
          INSERT INTO kpi_audit (tenant_id, environment, actor, verb, object_kind, object_id, reason, before, after)
          SELECT b.tenant_id, b.environment, 'system', 'Resume', 'binding', b.binding_id::text, 'expired',
                 jsonb_build_object('paused', true, 'paused_until', p.paused_until), jsonb_build_object('paused', false)
            FROM ended JOIN kpi_pause p USING (pause_id) JOIN kpi_job_binding b USING (binding_id) WHERE ended.ended_by = 'system' RETURNING audit_id
        )
        INSERT INTO kpi_chain_pending (audit_ids) SELECT array_agg(audit_id) FROM audited HAVING count(*) > 0
        """;

    // What waits for another try goes on waiting, however long the pause; it is given a deadline anew when it is over.
    private const string Pause = """
        WITH u AS (
          UPDATE kpi_job_runtime rt SET paused_until = COALESCE(@until::timestamptz, 'infinity'), lane = -abs(rt.lane),
            occ_deadline = CASE WHEN rt.occ_state = 'R' AND (rt.attempt_id IS NOT NULL OR rt.retry_count > 0) THEN NULL ELSE rt.occ_deadline END
            FROM (SELECT paused_until FROM kpi_job_runtime WHERE binding_id = @bindingId FOR NO KEY UPDATE) was
           WHERE rt.binding_id = @bindingId
          RETURNING rt.binding_id, rt.lane, rt.occ_deadline, COALESCE(was.paused_until > now(), false) AS was_paused
        ), listed AS (
          UPDATE kpi_parked k SET deadline = u.occ_deadline FROM u WHERE k.binding_id = u.binding_id AND k.deadline IS NOT NULL AND u.occ_deadline IS NULL
        )
        SELECT abs(lane)::smallint AS lane, was_paused FROM u
        """;

    private const string Begin = """
        INSERT INTO kpi_pause (binding_id, tenant_id, paused_until, reason, paused_by)
        SELECT binding_id, tenant_id, paused_until, @reason, @by FROM kpi_job_runtime WHERE binding_id = @bindingId
        """;

    /// <param name="until">Null: until resumed.</param>
    public static async Task<PausedRow> PauseAsync(RequestTransaction tx, long bindingId, DateTimeOffset? until, string reason)
    {
        // The runtime row first: whoever ends pauses goes the same way.
        var was = await tx.FindAsync<PausedRow>(Pause, new { bindingId, until });
        var by = tx.Caller.Principal;
        await tx.ExecuteAsync(End, new { bindingId, reason = "moved", by });
        await tx.ExecuteAsync(Begin, new { bindingId, reason, by });
        return was!;
    }

    private const string Resume = """
        UPDATE kpi_job_runtime SET paused_until = NULL, lane = CASE WHEN active THEN abs(lane) ELSE -abs(lane) END
         WHERE binding_id = @bindingId AND paused_until > now()
        RETURNING abs(lane)::smallint AS lane, true AS was_paused
        """;

    /// <returns>Null where it is not paused.</returns>
    public static async Task<PausedRow?> ResumeAsync(RequestTransaction tx, long bindingId, string reason)
    {
        var was = await tx.FindAsync<PausedRow>(Resume, new { bindingId });
        if (was is not null)
            await tx.ExecuteAsync(End, new { bindingId, reason, by = tx.Caller.Principal });
        return was;
    }
}
