using Dapper;
using Npgsql;

namespace KpiControl.Control.Database;

/// <summary>
/// The promises of occurrences, leases, attempts and history as queries that must return no row: run after every test
/// of the lease path. They only read; one snapshot of a running system suffices.
/// </summary>
/// <remarks>
/// Invariant 4 needs schedules, which SQL cannot evaluate: here stands that no slot has two places, and the tests compare
/// the ledger with the pure evaluation.
/// </remarks>
internal static class Invariants
{
    public static IReadOnlyList<Invariant> All { get; } =
    [
        new(1, "an occurrence succeeds once", SucceedsOnce),
        new(2, "an attempt has its own fence", FenceOnce),
        new(2, "fences of an occurrence rise", FencesRise),
        new(2, "no recorded fence is above the open occurrence's", FenceIsHighest),
        new(3, "a result is recorded once", RecordedOnce),
        new(3, "a recorded result has its history", ResultHasHistory),
        new(4, "a slot has one place", SlotHasOnePlace),
        new(4, "a slot is behind the cursor", SlotBehindCursor),
        new(4, "what queues is counted", QueueIsCounted),
        new(4, "what stands aside is counted", AsideIsCounted),
        new(5, "a lease is under a session that can still end", LeaseUnderSession),
        new(5, "only of a job that says so several are open at once", SeveralWhereAllowed),
        new(6, "a pause in force is kept as an interval", PauseIsKept),
        new(6, "a pause ends once, in its time, and is audited once", PauseEndsOnce),
        new(6, "nothing starts under a pause", NothingUnderPause),
        new(7, "nobody holds another tenant's or region's work", OwnWorkOnly),
        new(7, "rows carry their binding's tenant", OwnTenantOnly),
        new(8, "a clock is looked at within a minute of its instant", ClockIsLookedAt),
        new(8, "a clock that complains has its open episode, and the other way round", ClockHasEpisode),
        new(9, "a run has its evidence", RunHasEvidence),
        new(10, "what happened is append-only", AppendOnly),
        new(10, "nobody may change what happened", NobodyMayChange),
    ];

    /// <returns>One line a broken row; none is what everybody hopes for.</returns>
    public static async Task<IReadOnlyList<string>> BrokenAsync(NpgsqlConnection connection, CancellationToken token)
    {
        var broken = new List<string>();
        foreach (var invariant in All)
            foreach (var row in await connection.QueryAsync<string>(new CommandDefinition(invariant.Sql, cancellationToken: token)))
                broken.Add($"{invariant.Number} ({invariant.Name}): {row}");
        return broken;
    }

    private const string SucceedsOnce =
        """
        SELECT format('binding %s, %s %s: runs %s', binding_id, trigger_kind, scheduled_for, array_agg(run_id ORDER BY run_id))
          FROM kpi_job_history WHERE status IN ('success', 'partial') GROUP BY binding_id, trigger_kind, scheduled_for HAVING count(*) > 1
        """;

    private const string FenceOnce =
        """
        SELECT format('fence %s: attempts %s', run_id, array_agg(attempt_id)) FROM kpi_job_history GROUP BY run_id HAVING count(*) > 1
        """;

    // In the order in which their rows were written: a later attempt with a smaller number overtook nobody.
    private const string FencesRise =
        """
        SELECT format('binding %s, %s %s: run %s was recorded after run %s', binding_id, trigger_kind, scheduled_for, run_id, before)
          FROM (SELECT binding_id, trigger_kind, scheduled_for, run_id, recorded_at, fence_epoch,
                       lag(run_id) OVER slot AS before, lag(recorded_at) OVER slot AS before_at, lag(fence_epoch) OVER slot AS before_epoch
                  FROM kpi_job_history WHERE attempt_id IS NOT NULL
                WINDOW slot AS (PARTITION BY binding_id, trigger_kind, scheduled_for ORDER BY recorded_at, fence_epoch, run_id)) h
         WHERE recorded_at > before_at AND (coalesce(fence_epoch < before_epoch, false) OR (run_id <= before AND coalesce(fence_epoch = before_epoch, true)))
        """;

    // Where several of a job may run at once, one that was granted earlier may end later: there each occurrence is asked by itself.
    private const string FenceIsHighest =
        $"""
        SELECT format('binding %s: run %s, the open occurrence has fence (%s, %s)', rt.binding_id, h.run_id, rt.fence_epoch, rt.fence_n)
          FROM (SELECT binding_id, occ_state, occ_scheduled_for, occ_kind, fence_epoch, fence_n FROM kpi_job_runtime
                UNION ALL SELECT binding_id, occ_state, occ_scheduled_for, occ_kind, fence_epoch, fence_n FROM kpi_aside) rt JOIN kpi_job_history h USING (binding_id)
         WHERE h.attempt_id IS NOT NULL AND h.fence_epoch IS NOT NULL
           AND ((h.fence_epoch, h.run_id) > (rt.fence_epoch, rt.fence_n) OR (rt.occ_state = 'L' AND h.run_id = rt.fence_n))
           AND (NOT {EverAllowed} OR rt.occ_state IS NOT NULL AND h.scheduled_for = rt.occ_scheduled_for AND h.trigger_kind = kpi_kind_name(rt.occ_kind))
        """;

    private const string EverAllowed = "EXISTS (SELECT FROM kpi_binding_revision v WHERE v.binding_id = rt.binding_id AND v.schedule_extra ->> 'overlap' = 'allow')";

    private const string RecordedOnce =
        """
        SELECT format('attempt %s of binding %s: runs %s', attempt_id, binding_id, array_agg(run_id))
          FROM kpi_job_history WHERE attempt_id IS NOT NULL GROUP BY binding_id, attempt_id HAVING count(*) > 1
        """;

    // The row, its history, its evidence and its chain entry are one statement: none of them stands alone.
    private const string ResultHasHistory =
        """
        SELECT format('binding %s: ran last at %s, which is no history', rt.binding_id, rt.last_run_at)
          FROM kpi_job_runtime rt
         WHERE rt.last_run_at >= (SELECT coalesce(min(recorded_at), '-infinity') FROM kpi_job_history)
           AND NOT EXISTS (SELECT FROM kpi_job_history h WHERE h.binding_id = rt.binding_id AND h.recorded_at = rt.last_run_at)
        UNION ALL
        SELECT format('evidence %s: run %s is no history', e.evidence_id, e.run_id) FROM kpi_evidence e
         WHERE e.kind = 'run' AND NOT EXISTS (SELECT FROM kpi_job_history h WHERE h.run_id = e.run_id AND h.attempt_id = e.attempt_id)
        UNION ALL
        SELECT format('chain: run %s is no history', c.id) FROM kpi_chained c
         WHERE c.kind = 'h' AND NOT EXISTS (SELECT FROM kpi_job_history h WHERE h.run_id = c.id)
        """;

    // Stretches count from their first slot to their last: a slot that lies within another row's stretch is there twice.
    private const string SlotHasOnePlace =
        """
        SELECT format('binding %s, kind %s: %s is also within what ends at %s', binding_id, kind, first, reached)
          FROM (SELECT binding_id, kind, first,
                       max(last) OVER (PARTITION BY binding_id, kind ORDER BY first, last ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
                  FROM (SELECT binding_id, trigger_kind AS kind, scheduled_for AS first, coalesce(slot_last, scheduled_for) AS last FROM kpi_job_history WHERE final
                        UNION ALL
                        SELECT binding_id, kpi_kind_name(kind), scheduled_for, last_slot FROM kpi_open_occurrence) place) ordered
         WHERE reached >= first
        """;

    private const string SlotBehindCursor =
        """
        SELECT format('binding %s: slot %s is not behind the cursor %s', rt.binding_id, place.last, rt.next_run_at)
          FROM (SELECT binding_id, max(coalesce(slot_last, scheduled_for)) AS last FROM kpi_job_history WHERE trigger_kind = 'schedule' GROUP BY 1
                UNION ALL
                SELECT binding_id, last_slot FROM kpi_open_occurrence WHERE kind = 0) place
          JOIN kpi_job_runtime rt USING (binding_id) WHERE place.last >= rt.next_run_at
        """;

    private const string QueueIsCounted =
        """
        SELECT format('binding %s: %s counted, %s queued', rt.binding_id, rt.queued, coalesce(o.queued, 0))
          FROM kpi_job_runtime rt LEFT JOIN (SELECT binding_id, count(*) AS queued FROM kpi_occurrence GROUP BY 1) o USING (binding_id)
         WHERE rt.queued <> coalesce(o.queued, 0)
        """;

    private const string AsideIsCounted =
        """
        SELECT format('binding %s: %s counted, %s stand aside', rt.binding_id, rt.aside, coalesce(a.aside, 0))
          FROM kpi_job_runtime rt LEFT JOIN (SELECT binding_id, count(*) AS aside FROM kpi_aside GROUP BY 1) a USING (binding_id)
         WHERE rt.aside <> coalesce(a.aside, 0)
        UNION ALL
        SELECT format('binding %s: %s waits aside, where nobody wakes it', binding_id, occ_scheduled_for) FROM kpi_aside WHERE occ_state = 'W'
        """;

    private const string SeveralWhereAllowed =
        $"""
        SELECT format('binding %s: %s stands aside, and no revision of the job allows it', rt.binding_id, rt.occ_scheduled_for) FROM kpi_aside rt WHERE NOT {EverAllowed}
        """;

    // One row a binding is one lease a binding, but for those that stand aside; a lease of a session that was reclaimed would never be given back.
    private const string LeaseUnderSession =
        """
        SELECT format('binding %s: leased to session %s, whose leases were given back', rt.binding_id, rt.session_id)
          FROM (SELECT binding_id, session_id, generation FROM kpi_job_runtime WHERE occ_state = 'L' UNION ALL SELECT binding_id, session_id, generation FROM kpi_aside WHERE occ_state = 'L') rt
          LEFT JOIN kpi_session s USING (session_id)
         WHERE s.session_id IS NULL OR s.reclaimed_at IS NOT NULL OR rt.generation > s.generation
        UNION ALL
        SELECT format('attempt %s: bindings %s', attempt_id, array_agg(binding_id))
          FROM (SELECT attempt_id, binding_id FROM kpi_job_runtime WHERE occ_state = 'L' UNION ALL SELECT attempt_id, binding_id FROM kpi_aside WHERE occ_state = 'L') l GROUP BY attempt_id HAVING count(*) > 1
        """;

    private const string PauseIsKept =
        """
        SELECT format('binding %s: paused until %s, its open intervals end at %s', rt.binding_id, rt.paused_until, p.untils)
          FROM kpi_job_runtime rt
          LEFT JOIN (SELECT binding_id, array_agg(paused_until) AS untils FROM kpi_pause p
                      WHERE NOT EXISTS (SELECT FROM kpi_pause_end e WHERE e.pause_id = p.pause_id) GROUP BY 1) p USING (binding_id)
         WHERE cardinality(p.untils) > 1
            OR (rt.paused_until > now() AND p.untils IS DISTINCT FROM ARRAY[rt.paused_until])
            OR (p.untils[1] > now() AND rt.paused_until IS DISTINCT FROM p.untils[1])
        """;

    private const string PauseEndsOnce =
        """
        SELECT format('pause %s of binding %s: from %s until %s, ended %s', p.pause_id, p.binding_id, p.paused_at, p.paused_until, e.ended_at)
          FROM kpi_pause p JOIN kpi_pause_end e USING (pause_id) WHERE e.ended_at < p.paused_at OR e.ended_at > p.paused_until
        UNION ALL
        SELECT format('pause %s of binding %s: its expiry was audited %s times', p.pause_id, p.binding_id, count(a.audit_id))
          FROM kpi_pause p JOIN kpi_pause_end e USING (pause_id)
          LEFT JOIN kpi_audit a ON a.object_kind = 'binding' AND a.object_id = p.binding_id::text AND a.actor = 'system' AND a.verb = 'Resume'
            AND (a.before ->> 'paused_until')::timestamptz = p.paused_until
         WHERE e.reason = 'expired' GROUP BY p.pause_id, p.binding_id HAVING count(a.audit_id) <> 1
        """;

    // An attempt's id tells when the scan ran that led to its grant, by the database's clock. A pause that commits while a
    // grant holds the row comes after that grant, so the first minute of a pause proves nothing here.
    private const string NothingUnderPause =
        """
        SELECT format('binding %s: attempt %s was granted at %s under pause %s of %s', a.binding_id, a.attempt_id, a.granted_at, p.pause_id, p.paused_at)
          FROM (SELECT binding_id, attempt_id, to_timestamp(('x' || lpad(left(replace(attempt_id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0) AS granted_at
                  FROM (SELECT binding_id, attempt_id FROM kpi_job_history WHERE attempt_id IS NOT NULL
                        UNION ALL SELECT binding_id, attempt_id FROM kpi_job_runtime WHERE occ_state = 'L'
                        UNION ALL SELECT binding_id, attempt_id FROM kpi_aside WHERE occ_state = 'L') granted) a
          JOIN kpi_pause p USING (binding_id) LEFT JOIN kpi_pause_end e USING (pause_id)
         WHERE a.granted_at > p.paused_at + interval '1 minute' AND a.granted_at < coalesce(e.ended_at, p.paused_until)
        """;

    private const string OwnWorkOnly =
        """
        SELECT format('binding %s of %s in %s: leased to session %s of agent %s in %s', rt.binding_id, rt.tenant_id, b.region, s.session_id, s.agent, s.region)
          FROM (SELECT binding_id, tenant_id, session_id FROM kpi_job_runtime UNION ALL SELECT binding_id, tenant_id, session_id FROM kpi_aside) rt
          JOIN kpi_job_binding b USING (binding_id) JOIN kpi_session s USING (session_id)
         WHERE s.region <> b.region OR NOT EXISTS (SELECT FROM kpi_session_tenant st WHERE st.session_id = s.session_id AND st.tenant_id = rt.tenant_id)
        UNION ALL
        SELECT format('run %s of binding %s in %s: reported by session %s in %s', h.run_id, h.binding_id, b.region, s.session_id, s.region)
          FROM kpi_job_history h JOIN kpi_job_binding b USING (binding_id) JOIN kpi_session s USING (session_id) WHERE s.region <> b.region
        """;

    private const string OwnTenantOnly =
        """
        SELECT format('%s of binding %s says %s, the binding %s', x.what, x.binding_id, x.tenant_id, b.tenant_id)
          FROM (SELECT 'runtime' AS what, binding_id, tenant_id FROM kpi_job_runtime
                UNION ALL SELECT 'occurrence', binding_id, tenant_id FROM kpi_occurrence
                UNION ALL SELECT 'aside', binding_id, tenant_id FROM kpi_aside
                UNION ALL SELECT 'wait', binding_id, tenant_id FROM kpi_occurrence_wait
                UNION ALL SELECT 'history', binding_id, tenant_id FROM kpi_job_history
                UNION ALL SELECT 'evidence', binding_id, tenant_id FROM kpi_evidence
                UNION ALL SELECT 'pause', binding_id, tenant_id FROM kpi_pause
                UNION ALL SELECT 'revision', binding_id, tenant_id FROM kpi_binding_revision) x
          JOIN kpi_job_binding b USING (binding_id) WHERE b.tenant_id <> x.tenant_id
        """;

    // Where a node has been up for so long: what came due while none was is found at its start.
    private const string ClockIsLookedAt =
        """
        SELECT format('binding %s, %s: due at %s', c.binding_id, c.clock, c.due_at) FROM kpi_sla_clock c
         WHERE c.due_at < now() - interval '1 minute' AND EXISTS (SELECT FROM kpi_node n WHERE n.expires_at > now() AND n.started_at < now() - interval '1 minute')
        """;

    private const string ClockHasEpisode =
        """
        SELECT format('binding %s, %s: clock %s, episode %s', coalesce(c.binding_id, e.binding_id), coalesce(c.clock, e.clock), c.state, e.episode_id)
          FROM (SELECT * FROM kpi_sla_clock WHERE state IN ('warn', 'breach')) c
          FULL JOIN (SELECT * FROM kpi_sla_episode WHERE resolved_at IS NULL AND clock NOT IN ('failure', 'drift')) e ON e.binding_id = c.binding_id AND e.clock = c.clock
         WHERE c.binding_id IS NULL OR e.episode_id IS NULL OR (c.state = 'breach') <> (e.breached_at IS NOT NULL)
        """;

    // The history row with its digest is the evidence entry, and its entry in the chain was made with it.
    private const string RunHasEvidence =
        """
        SELECT format('run %s of binding %s: no chain entry', h.run_id, h.binding_id)
          FROM kpi_job_history h LEFT JOIN kpi_chained c ON c.kind = 'h' AND c.id = h.run_id WHERE c.id IS NULL
        UNION ALL
        SELECT format('run %s of binding %s: its result has no digest', run_id, binding_id)
          FROM kpi_job_history WHERE attempt_id IS NOT NULL AND status <> 'lost' AND coalesce(reason, '') NOT IN ('lease_lost', 'returned') AND result_digest IS NULL
        UNION ALL
        SELECT format('run %s of binding %s: %s is not there', h.run_id, h.binding_id, h.lineage_ref)
          FROM kpi_job_history h WHERE h.lineage_ref IS NOT NULL AND NOT EXISTS (
            SELECT FROM kpi_evidence e WHERE e.run_id = h.run_id AND e.attempt_id = h.attempt_id AND e.kind = 'run')
        """;

    private const string AppendOnly =
        """
        SELECT format('%s has no trigger that refuses changes', t.name)
          FROM (SELECT unnest(ARRAY['kpi_job_history', 'kpi_evidence', 'kpi_audit', 'kpi_binding_revision', 'kpi_pause', 'kpi_pause_end', 'kpi_tenant_policy']) AS name
                UNION SELECT inhrelid::regclass::text FROM pg_inherits
                 WHERE inhparent IN ('kpi_job_history'::regclass, 'kpi_evidence'::regclass, 'kpi_audit'::regclass)) t
         WHERE NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t.name::regclass AND g.tgname = 'append_only' AND g.tgenabled IN ('O', 'A'))
        """;

    // Privileges of the owner are not grants: it migrates, and the trigger refuses its slips.
    private const string NobodyMayChange =
        """
        SELECT format('%s may %s %s', a.grantee::regrole, a.privilege_type, c.relname)
          FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
         WHERE a.grantee <> c.relowner AND a.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER')
           AND (c.relname IN ('kpi_job_history', 'kpi_evidence', 'kpi_audit', 'kpi_binding_revision', 'kpi_pause', 'kpi_pause_end', 'kpi_tenant_policy')
                OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent IN ('kpi_job_history'::regclass, 'kpi_evidence'::regclass, 'kpi_audit'::regclass)))
        UNION ALL
        SELECT format('%s has %s on the partition %s itself', a.grantee::regrole, a.privilege_type, c.relname)
          FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid CROSS JOIN LATERAL aclexplode(c.relacl) a
         WHERE a.grantee <> c.relowner AND i.inhparent IN ('kpi_job_history'::regclass, 'kpi_evidence'::regclass, 'kpi_audit'::regclass)
        """;
}

/// <summary>A promise by its number, in words, and as a query of what breaks it.</summary>
internal sealed record Invariant(int Number, string Name, string Sql);
