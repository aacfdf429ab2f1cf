using KpiControl.Control.Requests;

namespace KpiControl.Control.Signals;

/// <summary>Occurrences that a signal makes: each binding once, whoever publishes it again.</summary>
internal static class EventStore
{
    private const string Listening = """
        SELECT b.binding_id, b.timezone, d.canonical_json
          FROM kpi_job_binding b JOIN kpi_job_def d USING (def_id)
         WHERE b.tenant_id = @tenant AND b.environment = @environment AND (@region::text IS NULL OR b.region = @region) AND b.active_flag
           AND b.schedule_extra ->> 'type' = 'event' AND b.schedule_extra -> 'on' @> to_jsonb(@name::text)
         ORDER BY b.binding_id
        """;

    /// <summary>The active event jobs that a signal starts.</summary>
    public static Task<IReadOnlyList<ListeningRow>> ListeningAsync(RequestTransaction tx, string tenant, string environment, string? region, string name) =>
        tx.QueryAsync<ListeningRow>(Listening, new { tenant, environment, region, name });

    // Runtime rows first, in order, as everybody takes them. The instant is read when they are held: of two signals the second
    // sees the first one's commit, so an instant is one occurrence's. A paused binding's queue opens when it is resumed.
    private const string Start = """
        WITH x AS (
          SELECT * FROM unnest(@ids, @dates) AS x(binding_id, business_date)
        ), rt AS MATERIALIZED (
          SELECT rt.binding_id, rt.tenant_id FROM kpi_job_runtime rt JOIN x USING (binding_id) WHERE rt.active ORDER BY rt.binding_id FOR NO KEY UPDATE OF rt
        ), at AS MATERIALIZED (
          SELECT clock_timestamp() AS at FROM (SELECT count(*) FROM rt) held
        ), slot AS (
          INSERT INTO kpi_slot (binding_id, slot_key, tenant_id, scheduled_for) SELECT binding_id, @slotKey, tenant_id, at FROM rt, at
          ON CONFLICT (binding_id, slot_key) DO NOTHING RETURNING binding_id
        ), u AS (
          UPDATE kpi_job_runtime r SET queued = queued + 1 FROM slot WHERE r.binding_id = slot.binding_id
          RETURNING r.binding_id, r.tenant_id, abs(r.lane)::smallint AS lane, r.revision
        ), o AS (
          INSERT INTO kpi_occurrence (binding_id, scheduled_for, kind, last_slot, lane, window_start, business_date, revision, tenant_id, requested_by, reason)
          SELECT u.binding_id, at, 1, at, u.lane, (SELECT max(s.scheduled_for) FROM kpi_slot s WHERE s.binding_id = u.binding_id), x.business_date, u.revision, u.tenant_id, @by, @reason
            FROM u JOIN x USING (binding_id), at
        ), audited AS (
          INSERT INTO kpi_audit (tenant_id, environment, actor, verb, object_kind, object_id, reason, after, request_id)
          SELECT u.tenant_id, @environment, @by, 'Run', 'occurrence',
                 u.binding_id || '/event:' || rtrim(rtrim(to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z',
                 @reason, jsonb_build_object('state', 'queued', 'business_date', x.business_date), @requestId
            FROM u JOIN x USING (binding_id), at RETURNING audit_id
        ), chained AS (
          INSERT INTO kpi_chain_pending (audit_ids) SELECT array_agg(audit_id) FROM audited HAVING count(*) > 0
        ), told AS MATERIALIZED (
          SELECT pg_notify('kpi', 'queue ' || lane) FROM (SELECT DISTINCT lane FROM u) l
        )
        SELECT (SELECT count(*) FROM u)::int + 0 * (SELECT count(*) FROM told)::int
        """;

    /// <returns>How many bindings it started; those it had started before are not among them.</returns>
    public static Task<int> StartAsync(RequestTransaction tx, IReadOnlyList<StartedEvent> starts, string environment, string slotKey, string reason) =>
        tx.FindAsync<int>(Start, new
        {
            ids = starts.Select(s => s.BindingId).ToArray(), dates = starts.Select(s => s.BusinessDate).ToArray(), environment, slotKey, reason,
            by = tx.Caller.Principal, requestId = tx.RequestId,
        });
}

internal sealed record ListeningRow
{
    public long BindingId { get; init; }
    public string Timezone { get; init; } = "UTC";
    public string CanonicalJson { get; init; } = "{}";
}

internal sealed record StartedEvent(long BindingId, DateOnly BusinessDate);
