using KpiControl.Control.Leases;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Operations;

/// <summary>An open occurrence, wherever it is kept.</summary>
internal sealed record OpenOccurrence
{
    public DateTimeOffset ScheduledFor { get; init; }
    public DateTimeOffset LastSlot { get; init; }
    public short Kind { get; init; }
    public required string TriggerKind { get; init; }
    public DateTimeOffset? WindowStart { get; init; }
    public DateOnly BusinessDate { get; init; }
    /// <summary><c>waiting, ready, leased</c> or <c>queued</c>.</summary>
    public required string State { get; init; }
    /// <summary>Of one that queues: the revision whose slot it is, whatever is in force since.</summary>
    public int Revision { get; init; }
    public int RetryCount { get; init; }
    public Guid? AttemptId { get; init; }
    public long? SessionId { get; init; }
}

/// <summary>Ends occurrences by hand: whoever else moves one first leaves no row to change here.</summary>
internal static class CancelStore
{
    private const string Open = """
        SELECT scheduled_for, last_slot, kind, kpi_kind_name(kind) AS trigger_kind, window_start, business_date, state, revision, retry_count, attempt_id, session_id
          FROM kpi_open_occurrence WHERE binding_id = @bindingId ORDER BY state = 'queued', scheduled_for
        """;

    public static Task<IReadOnlyList<OpenOccurrence>> OpenAsync(RequestTransaction tx, long bindingId) => tx.QueryAsync<OpenOccurrence>(Open, new { bindingId });

    private const string Revision = """
        SELECT r.schedule_cron, r.timezone, d.canonical_json, k.canonical_json AS calendar_json, r.overrides::text AS overrides_json
          FROM kpi_binding_revision r JOIN kpi_job_def d USING (def_id)
          LEFT JOIN kpi_calendar k ON k.tenant_id = r.tenant_id AND k.name = r.calendar AND k.version = r.calendar_version
         WHERE r.binding_id = @bindingId AND r.revision = @revision
        """;

    public static async Task<QueuedUnderRow> RevisionAsync(RequestTransaction tx, long bindingId, int revision) =>
        await tx.FindAsync<QueuedUnderRow>(Revision, new { bindingId, revision }) ?? throw new InvalidOperationException($"Binding {bindingId} has no revision {revision}.");

    /// <summary>One that waits or is ready. False where it is that no longer.</summary>
    public static async Task<bool> EndParkedAsync(RequestTransaction tx, long bindingId, OpenOccurrence open, string? reason) =>
        await EndInRowAsync(tx, bindingId, open, reason) || await EndAsideAsync(tx, bindingId, open, reason);

    private static async Task<bool> EndInRowAsync(RequestTransaction tx, long bindingId, OpenOccurrence open, string? reason) =>
        await tx.FindAsync<int>(ParkedEndStore.EndSql, new { bindingId, open.ScheduledFor, open.Kind, status = "cancelled", reason }) == 1;

    private static async Task<bool> EndAsideAsync(RequestTransaction tx, long bindingId, OpenOccurrence open, string? reason)
    {
        var ended = false;
        await AsideTurnStore.LockAsync(tx.Connection, [bindingId], tx.Token);
        await AsideTurnStore.ServeAsync(tx.Connection, [new AsideKey(bindingId, open.ScheduledFor, open.Kind)], async _ => ended = await EndInRowAsync(tx, bindingId, open, reason), tx.Token);
        return ended;
    }

    // The runtime row first: a promotion goes the same way.
    private const string EndQueued = """
        WITH rt AS MATERIALIZED (
          SELECT binding_id FROM kpi_job_runtime WHERE binding_id = @bindingId FOR NO KEY UPDATE
        ), gone AS (
          DELETE FROM kpi_occurrence o USING rt
           WHERE o.binding_id = rt.binding_id AND o.scheduled_for = @ScheduledFor AND o.kind = @Kind AND o.last_slot = @LastSlot
          RETURNING o.*
        ), counted AS (
          UPDATE kpi_job_runtime r SET queued = GREATEST(r.queued - 1, 0) FROM gone WHERE r.binding_id = gone.binding_id
        ), h AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, scheduled_for, slot_last, slot_count, window_start, business_date, lane, final, status, reason, trigger_kind)
          SELECT nextval('kpi_fence'), tenant_id, binding_id, revision, scheduled_for, CASE WHEN @count > 1 THEN last_slot END, @count, window_start, business_date, lane,
                 true, 'cancelled', @reason, kpi_kind_name(kind) FROM gone RETURNING run_id
        ), chained AS (
          INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(run_id) FROM h HAVING count(*) > 0
        )
        SELECT count(*)::int FROM gone
        """;

    /// <summary>One that queues, or a stretch of <paramref name="count"/> slots. False where it no longer does.</summary>
    public static async Task<bool> EndQueuedAsync(RequestTransaction tx, long bindingId, OpenOccurrence open, int count, string? reason) =>
        await tx.FindAsync<int>(EndQueued, new { bindingId, open.ScheduledFor, open.Kind, open.LastSlot, count, reason }) == 1;

    private const string AskAgent = """
        WITH u AS (
          UPDATE kpi_job_runtime SET occ_cancel = true WHERE binding_id = @bindingId AND occ_state = 'L' AND attempt_id = @AttemptId
          RETURNING session_id, attempt_id
        ), told AS MATERIALIZED (
          SELECT pg_notify('kpi', format('cancel %s %s', session_id, attempt_id)) FROM u
        )
        SELECT count(*)::int FROM told
        """;

    /// <summary>One that an agent runs: it is told, and its report ends it. False where it runs no longer.</summary>
    public static async Task<bool> AskAgentAsync(RequestTransaction tx, long bindingId, OpenOccurrence open) =>
        await tx.FindAsync<int>(AskAgent, new { bindingId, open.AttemptId }) == 1 || await tx.FindAsync<int>(AskAgentAside, new { bindingId, open.AttemptId }) == 1;

    // The runtime row first, as everybody takes them: it is in nobody's turn then.
    private const string AskAgentAside = """
        WITH rt AS MATERIALIZED (
          SELECT binding_id FROM kpi_job_runtime WHERE binding_id = @bindingId FOR NO KEY UPDATE
        ), u AS (
          UPDATE kpi_aside a SET occ_cancel = true FROM rt WHERE a.binding_id = rt.binding_id AND a.occ_state = 'L' AND a.attempt_id = @AttemptId
          RETURNING a.session_id, a.attempt_id
        ), told AS MATERIALIZED (
          SELECT pg_notify('kpi', format('cancel %s %s', session_id, attempt_id)) FROM u
        )
        SELECT count(*)::int FROM told
        """;
}

/// <summary>The schedule that a stretch of slots was queued under.</summary>
internal sealed record QueuedUnderRow
{
    public string ScheduleCron { get; init; } = "";
    public string Timezone { get; init; } = "UTC";
    public string CanonicalJson { get; init; } = "{}";
    public string? CalendarJson { get; init; }
    public string? OverridesJson { get; init; }
}
