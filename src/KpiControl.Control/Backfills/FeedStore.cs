using Dapper;
using KpiControl.Control.Database;
using KpiControl.Control.Leases;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Backfills;

/// <summary>Moves backfills on: what ended is written down, and the next slot queues when its binding is free.</summary>
internal sealed class FeedStore(Databases databases, IOptions<LeaseOptions> options)
{
    private const string Settle = """
        WITH ended AS (
          UPDATE kpi_backfill_slot s SET state = h.status, run_id = h.run_id
            FROM kpi_backfill f, kpi_job_history h
           WHERE f.finished_at IS NULL AND s.backfill_id = f.backfill_id AND s.state = 'queued' AND h.binding_id = s.binding_id AND h.recorded_at >= s.queued_at
             AND h.scheduled_for = s.occurrence_at AND h.trigger_kind = CASE WHEN f.restatement_id IS NULL THEN 'backfill' ELSE 'restatement' END AND h.final
          RETURNING s.backfill_id
        )
        SELECT (SELECT count(*) FROM ended)::int AS ended, (SELECT count(*) FROM kpi_backfill WHERE finished_at IS NULL)::int AS running
        """;

    private const string Finish = """
        UPDATE kpi_backfill f SET finished_at = now()
         WHERE f.finished_at IS NULL AND NOT EXISTS (SELECT FROM kpi_backfill_slot s WHERE s.backfill_id = f.backfill_id AND s.state IN ('pending', 'queued'))
        """;

    // Up to so many slots at once as were asked for, and only with nothing behind what is open: what is live goes first, always. Into a row that is
    // free; one that runs makes room where the job says so, and so many are open already as may be. One a pass: the next finds what this one left. Two nodes that feed the same backfill meet in the slot's state and in the runtime row, which both of them hold.
    private const string Feed = $"""
        WITH f AS MATERIALIZED (
          SELECT f.backfill_id, f.binding_id, f.restatement_id, f.requested_by, (SELECT min(s.ordinal) FROM kpi_backfill_slot s WHERE s.backfill_id = f.backfill_id AND s.state = 'pending') AS ordinal
            FROM kpi_backfill f
           WHERE f.finished_at IS NULL AND f.cancelled_at IS NULL AND f.parallelism > (SELECT count(*) FROM kpi_backfill_slot s WHERE s.backfill_id = f.backfill_id AND s.state = 'queued')
           ORDER BY f.backfill_id FOR NO KEY UPDATE OF f SKIP LOCKED
        ), first AS MATERIALIZED (
          SELECT DISTINCT ON (binding_id) * FROM f WHERE ordinal IS NOT NULL ORDER BY binding_id, backfill_id
        ), rt AS MATERIALIZED (
          SELECT rt.binding_id, rt.revision, rt.tenant_id FROM kpi_job_runtime rt JOIN first USING (binding_id)
           WHERE rt.active AND rt.lane > 0 AND rt.queued = 0
             AND (rt.occ_state IS NULL AND rt.aside = 0 OR (rt.occ_state IS NULL OR {AsideStore.MakesRoom} AND rt.aside < @most) AND EXISTS (
               SELECT FROM kpi_job_binding b WHERE b.binding_id = rt.binding_id AND b.schedule_extra ->> 'overlap' = 'allow'))
           ORDER BY rt.binding_id FOR NO KEY UPDATE OF rt
        ), fed AS (
          UPDATE kpi_backfill_slot s SET state = 'queued', queued_at = now() FROM first, rt
           WHERE rt.binding_id = first.binding_id AND s.backfill_id = first.backfill_id AND s.ordinal = first.ordinal AND s.state = 'pending'
          RETURNING s.backfill_id, s.binding_id, s.occurrence_at, s.window_start, s.business_date, s.pinned_revision, rt.revision, rt.tenant_id, first.requested_by, first.restatement_id,
            CASE WHEN first.restatement_id IS NULL THEN 4 ELSE 5 END::int2 AS kind
        ), slot AS (
          INSERT INTO kpi_slot (binding_id, slot_key, tenant_id)
          SELECT binding_id, kpi_kind_name(kind) || ':' || rtrim(rtrim(to_char(occurrence_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z', tenant_id FROM fed
          ON CONFLICT DO NOTHING
        ), counted AS (
          UPDATE kpi_job_runtime r SET queued = queued + 1 FROM fed WHERE r.binding_id = fed.binding_id
        ), o AS (
          INSERT INTO kpi_occurrence (binding_id, scheduled_for, kind, last_slot, lane, window_start, business_date, revision, tenant_id, requested_by, reason, pinned)
          SELECT fed.binding_id, occurrence_at, kind, occurrence_at, l.lane, window_start, business_date, coalesce(pinned_revision, fed.revision), fed.tenant_id, requested_by,
                 coalesce('restatement/' || restatement_id, 'backfill/' || backfill_id), pinned_revision IS NOT NULL
            FROM fed JOIN kpi_job_binding b USING (binding_id) JOIN kpi_lane l ON l.region = b.region AND l.priority = 6
          RETURNING lane
        ), told AS MATERIALIZED (
          SELECT pg_notify('kpi', 'queue ' || lane) FROM (SELECT DISTINCT lane FROM o) l
        )
        SELECT (SELECT count(*) FROM fed)::int + 0 * (SELECT count(*) FROM told)::int
        """;

    public async Task<FeedPass> PassAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        var pass = await connection.QuerySingleAsync<FeedPass>(new CommandDefinition(Settle, cancellationToken: token));
        if (pass.Running == 0)
            return pass;
        var fed = await connection.QuerySingleAsync<int>(new CommandDefinition(Feed, new { most = options.Value.MostAtOncePerBinding - 1 }, cancellationToken: token));
        if (fed == 0)
            await connection.ExecuteAsync(new CommandDefinition(Finish, cancellationToken: token));
        return pass with { Fed = fed };
    }
}

internal sealed record FeedPass
{
    public int Ended { get; init; }
    public int Running { get; init; }
    public int Fed { get; init; }
}
