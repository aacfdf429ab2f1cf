using KpiControl.Control.Leases;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Runs;

/// <summary>Reads what was in force and what stands around one occurrence.</summary>
internal static class ExplainStore
{
    private const string RevisionSql =
        """
        SELECT r.revision, r.schedule_cron, r.timezone, r.active, r.effective_from, r.first_slot_after, r.changed_by, r.reason,
               d.content_hash, d.canonical_json, r.calendar, r.calendar_version, k.canonical_json AS calendar_json, r.overrides::text AS overrides_json
          FROM kpi_binding_revision r JOIN kpi_job_def d USING (def_id)
          LEFT JOIN kpi_calendar k ON k.tenant_id = r.tenant_id AND k.name = r.calendar AND k.version = r.calendar_version
         WHERE r.binding_id = @binding AND r.first_slot_after < @at::timestamptz ORDER BY r.revision DESC LIMIT 1
        """;

    /// <summary>What was in force for a slot at an instant: an edit never fires the past.</summary>
    public static Task<RevisionRow?> RevisionAsync(RequestTransaction tx, long binding, DateTimeOffset at) =>
        tx.FindAsync<RevisionRow>(RevisionSql, new { binding, at });

    private const string LaterRevisionsSql =
        """
        SELECT r.revision, r.schedule_cron, r.timezone, r.active, r.effective_from, r.first_slot_after, r.changed_by, r.reason,
               d.content_hash, d.canonical_json, r.calendar, r.calendar_version, k.canonical_json AS calendar_json, r.overrides::text AS overrides_json
          FROM kpi_binding_revision r JOIN kpi_job_def d USING (def_id)
          LEFT JOIN kpi_calendar k ON k.tenant_id = r.tenant_id AND k.name = r.calendar AND k.version = r.calendar_version
         WHERE r.binding_id = @binding AND r.first_slot_after >= @slot::timestamptz AND r.effective_from <= @until::timestamptz
         ORDER BY r.revision LIMIT 20
        """;

    /// <summary>What came into force after a slot and until an instant.</summary>
    public static Task<IReadOnlyList<RevisionRow>> LaterRevisionsAsync(RequestTransaction tx, long binding, DateTimeOffset slot, DateTimeOffset until) =>
        tx.QueryAsync<RevisionRow>(LaterRevisionsSql, new { binding, slot, until });

    // The row that queued it is gone once it is open. The trail's entry begins before its slot, by no more than a transaction.
    private const string RequestSql =
        """
        SELECT actor AS requested_by, reason FROM kpi_audit
         WHERE tenant_id = @tenant AND recorded_at BETWEEN @at::timestamptz - interval '10 minutes' AND @at::timestamptz
           AND object_kind = 'occurrence' AND verb = 'Run' AND object_id = @binding::text || '/' || @slot
         ORDER BY audit_id LIMIT 1
        """;

    public static Task<RequestedRow?> RequestAsync(RequestTransaction tx, string tenant, long binding, SlotKey slot) =>
        tx.FindAsync<RequestedRow>(RequestSql, new { tenant, binding, at = slot.ScheduledFor, slot = slot.ToString() });

    private const string BackfillSql =
        """
        SELECT f.requested_by, CASE WHEN s.restatement_id IS NULL THEN f.reason
                 ELSE format('restatement %s of what run %s reported, since %s of %s changed it%s', s.restatement_id, t.run_id, coalesce('refresh ' || s.refresh_id, 'restatement ' || s.upstream_id), s.source,
                             CASE WHEN s.reason = '' THEN '' ELSE '; ' || s.reason END) END AS reason
          FROM kpi_backfill_slot p JOIN kpi_backfill f USING (backfill_id)
          LEFT JOIN kpi_restatement s ON s.restatement_id = f.restatement_id
          LEFT JOIN kpi_restatement_slot t ON t.restatement_id = s.restatement_id AND t.business_date = p.business_date
         WHERE p.binding_id = @binding AND p.occurrence_at = @at
        """;

    /// <summary>Who asked for the backfill, or accepted the restatement, that an occurrence is of.</summary>
    public static Task<RequestedRow?> BackfillAsync(RequestTransaction tx, long binding, SlotKey slot) => tx.FindAsync<RequestedRow>(BackfillSql, new { binding, at = slot.ScheduledFor });

    private const string PausesSql =
        """
        SELECT p.pause_id, p.paused_at, p.paused_until, p.reason, p.paused_by, e.ended_at, e.ended_by
          FROM kpi_pause p LEFT JOIN kpi_pause_end e USING (pause_id)
         WHERE p.binding_id = @binding AND p.paused_at <= @until::timestamptz AND coalesce(e.ended_at, p.paused_until) >= @from::timestamptz
         ORDER BY p.pause_id LIMIT 50
        """;

    public static Task<IReadOnlyList<PauseRow>> PausesAsync(RequestTransaction tx, long binding, DateTimeOffset from, DateTimeOffset until) =>
        tx.QueryAsync<PauseRow>(PausesSql, new { binding, from, until });

    private const string OverridesSql =
        """
        SELECT override_id, kind, value, reason, created_by, created_at, expires_at, ended_at, ended_by, ending FROM kpi_override
         WHERE binding_id = @binding AND created_at <= @until::timestamptz AND coalesce(ended_at, expires_at) > @from::timestamptz
         ORDER BY override_id LIMIT 50
        """;

    public static Task<IReadOnlyList<StoodRow>> OverridesAsync(RequestTransaction tx, long binding, DateTimeOffset from, DateTimeOffset until) =>
        tx.QueryAsync<StoodRow>(OverridesSql, new { binding, from, until });

    private const string OpenSql =
        """
        SELECT o.scheduled_for, o.last_slot, kpi_kind_name(o.kind) AS kind, o.window_start, o.business_date, o.state, o.reason, o.retry_count,
               o.attempt_id, o.occ_retry_at AS retry_at, o.deadline, o.lease_deadline, s.agent
          FROM kpi_open_occurrence o
          LEFT JOIN kpi_session s ON s.session_id = o.session_id
         WHERE o.binding_id = @binding ORDER BY (o.state = 'queued'), o.scheduled_for LIMIT 1000
        """;

    /// <summary>What is open first, the oldest before the others, then what queues behind it.</summary>
    public static Task<IReadOnlyList<OpenRow>> OpenAsync(RequestTransaction tx, long binding) => tx.QueryAsync<OpenRow>(OpenSql, new { binding });

    private const string CursorSql =
        """
        SELECT next_run_at, paused_until > now() AS paused, active,
               EXISTS (SELECT FROM kpi_cluster WHERE timeline = kpi_timeline()) AS epoch_stands
          FROM kpi_job_runtime WHERE binding_id = @binding
        """;

    public static Task<CursorRow?> CursorAsync(RequestTransaction tx, long binding) => tx.FindAsync<CursorRow>(CursorSql, new { binding });

    private const string AgentsSql =
        """
        SELECT s.agent, s.slots, s.connections::text AS connections, s.connection_stages::text AS stages, s.labels::text AS labels, s.drained_at IS NOT NULL AS drained
          FROM kpi_session s JOIN kpi_node n USING (node_id) JOIN kpi_session_tenant t USING (session_id)
         WHERE s.ended_at IS NULL AND n.expires_at > now() AND s.region = @region AND t.tenant_id = @tenant ORDER BY s.agent LIMIT 1000
        """;

    public static Task<IReadOnlyList<LiveAgent>> AgentsAsync(RequestTransaction tx, string tenant, string region) =>
        tx.QueryAsync<LiveAgent>(AgentsSql, new { tenant, region });

    private const string LastEndedSql =
        """
        SELECT trigger_kind AS kind, scheduled_for FROM kpi_job_history WHERE binding_id = @binding AND final ORDER BY recorded_at DESC, run_id DESC LIMIT 1
        """;

    public static Task<NearestRow?> LastEndedAsync(RequestTransaction tx, long binding) => tx.FindAsync<NearestRow>(LastEndedSql, new { binding });

    private const string NearestByHandSql =
        """
        SELECT trigger_kind AS kind, scheduled_for FROM kpi_job_history
         WHERE binding_id = @binding AND recorded_at >= @after::timestamptz AND trigger_kind <> 'schedule'
           AND scheduled_for > @after AND scheduled_for <= @at::timestamptz
         ORDER BY scheduled_for DESC LIMIT 1
        """;

    /// <summary>An occurrence that no schedule made, between the slot at or before an instant and that instant.</summary>
    public static Task<NearestRow?> NearestByHandAsync(RequestTransaction tx, long binding, DateTimeOffset after, DateTimeOffset at) =>
        tx.FindAsync<NearestRow>(NearestByHandSql, new { binding, after, at });
}

internal sealed record RevisionRow
{
    public int Revision { get; init; }
    public string ScheduleCron { get; init; } = "";
    public string Timezone { get; init; } = "UTC";
    public bool Active { get; init; }
    public DateTimeOffset EffectiveFrom { get; init; }
    public DateTimeOffset FirstSlotAfter { get; init; }
    public string ChangedBy { get; init; } = "";
    public string Reason { get; init; } = "";
    public string ContentHash { get; init; } = "";
    public string CanonicalJson { get; init; } = "{}";
    public string? Calendar { get; init; }
    public int? CalendarVersion { get; init; }
    public string? CalendarJson { get; init; }
    public string? OverridesJson { get; init; }
}

internal sealed record RequestedRow
{
    public string RequestedBy { get; init; } = "";
    public string Reason { get; init; } = "";
}

internal sealed record PauseRow
{
    public long PauseId { get; init; }
    public DateTimeOffset PausedAt { get; init; }
    public DateTimeOffset PausedUntil { get; init; }
    public string Reason { get; init; } = "";
    public string PausedBy { get; init; } = "";
    public DateTimeOffset? EndedAt { get; init; }
    public string? EndedBy { get; init; }
}

internal sealed record StoodRow
{
    public long OverrideId { get; init; }
    public string Kind { get; init; } = "";
    public string Value { get; init; } = "";
    public string Reason { get; init; } = "";
    public string CreatedBy { get; init; } = "";
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset ExpiresAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
    public string? EndedBy { get; init; }
    public string? Ending { get; init; }
}

internal sealed record OpenRow
{
    public DateTimeOffset ScheduledFor { get; init; }
    public DateTimeOffset LastSlot { get; init; }
    public string Kind { get; init; } = "";
    public DateTimeOffset? WindowStart { get; init; }
    public DateOnly BusinessDate { get; init; }
    public string State { get; init; } = "";
    public short? Reason { get; init; }
    public int RetryCount { get; init; }
    public Guid? AttemptId { get; init; }
    public DateTimeOffset? RetryAt { get; init; }
    public DateTimeOffset? Deadline { get; init; }
    /// <summary>By then the try's timeout is over, and its agent stops it.</summary>
    public DateTimeOffset? LeaseDeadline { get; init; }
    public string? Agent { get; init; }

    public bool Covers(SlotKey slot) => Kind == slot.Kind && ScheduledFor <= slot.ScheduledFor && slot.ScheduledFor <= LastSlot;
}

internal sealed record CursorRow
{
    public DateTimeOffset? NextRunAt { get; init; }
    public bool? Paused { get; init; }
    public bool Active { get; init; }
    /// <summary>False: the database was promoted or restored, and nothing is granted until the epoch is bumped.</summary>
    public bool EpochStands { get; init; }
}

internal sealed record LiveAgent
{
    public string Agent { get; init; } = "";
    public int Slots { get; init; }
    public string Connections { get; init; } = "{}";
    public string Stages { get; init; } = "{}";
    public string Labels { get; init; } = "{}";
    public bool Drained { get; init; }
}

internal sealed record NearestRow
{
    public string Kind { get; init; } = "";
    public DateTimeOffset ScheduledFor { get; init; }
}
