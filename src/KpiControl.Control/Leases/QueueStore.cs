using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Leases;

/// <summary>Occurrences that queue behind a binding's open one: triggered, overlapped, caught up with.</summary>
internal sealed class QueueStore(Databases databases)
{
    /// <summary>Of an entry <c>o</c>: one of a stretch of missed slots, which run one after the other, oldest first.</summary>
    internal const string CatchesUp = $"(o.kind = {KindNumber.Schedule} AND o.reason = 'catchup')";

    internal const string NoOlderAside = $"NOT EXISTS (SELECT FROM kpi_aside a WHERE a.binding_id = o.binding_id AND a.occ_kind = {KindNumber.Schedule} AND a.occ_scheduled_for < o.scheduled_for)";

    // What stood aside before the job was edited holds it like any other that runs: nothing opens beside it.
    private const string NextSql =
        $"""
        SELECT DISTINCT ON (o.binding_id) o.binding_id, o.scheduled_for, o.kind, o.last_slot, o.lane, o.window_start, o.business_date, rt.revision, o.revision AS queued_under
          FROM kpi_occurrence o JOIN kpi_job_runtime rt USING (binding_id)
         WHERE o.lane = @lane AND rt.occ_state IS NULL AND rt.lane > 0
           AND (rt.aside = 0 OR (NOT {CatchesUp} OR {NoOlderAside}) AND EXISTS (SELECT FROM kpi_job_binding b WHERE b.binding_id = o.binding_id AND b.schedule_extra ->> 'overlap' = 'allow'))
         ORDER BY o.binding_id, o.scheduled_for LIMIT @limit
        """;

    public async Task<IReadOnlyList<QueuedRow>> NextAsync(short lane, int limit, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<QueuedRow>(new CommandDefinition(NextSql, new { lane, limit }, cancellationToken: token))).AsList();
    }

    private const string PromoteSql =
        $"""
        WITH x AS (
          SELECT x.*, CASE WHEN x.kind IN ({KindNumber.Schedule}, {KindNumber.Replay}, {KindNumber.Backfill}) THEN now() ELSE x.slot END + make_interval(secs => x.waits_seconds) AS gives_up_at
            FROM unnest(@ids, @slots, @kinds, @nexts, @windows, @nextDates, @takes, @waits, @dates, @starts)
                 AS x(binding_id, slot, kind, next_slot, next_window, next_date, take, waits_seconds, business_date, window_start)
        ), o AS (
          SELECT o.binding_id, o.scheduled_for, o.kind, o.lane, o.last_slot, CASE WHEN o.pinned THEN o.revision END AS pinned FROM kpi_occurrence o
            JOIN x ON o.binding_id = x.binding_id AND o.scheduled_for = x.slot AND o.kind = x.kind
        ), u AS (
          UPDATE kpi_job_runtime rt SET occ_state = x.take::"char", occ_scheduled_for = x.slot, occ_kind = x.kind, occ_window_start = x.window_start,
            occ_business_date = x.business_date, occ_reason = CASE WHEN x.take = 'W' THEN {ReasonNumber.Dependency} END, occ_retry_at = NULL, occ_deadline = x.gives_up_at,
            occ_lane = NULLIF(o.lane, abs(rt.lane)), retry_count = 0, attempt_id = NULL, occ_pinned = o.pinned, queued = rt.queued - CASE WHEN x.next_slot IS NULL THEN 1 ELSE 0 END
            FROM x JOIN o ON o.binding_id = x.binding_id
           WHERE rt.binding_id = x.binding_id AND rt.occ_state IS NULL AND rt.lane > 0 AND rt.active AND (rt.paused_until IS NULL OR rt.paused_until <= now())
          RETURNING rt.binding_id, rt.tenant_id, o.lane, x.take, x.gives_up_at, x.slot, x.kind, x.next_slot, x.next_window, x.next_date
        ), gone AS (
          DELETE FROM kpi_occurrence o USING u WHERE u.next_slot IS NULL AND o.binding_id = u.binding_id AND o.scheduled_for = u.slot AND o.kind = u.kind
        ), shrunk AS (
          UPDATE kpi_occurrence o SET scheduled_for = u.next_slot, window_start = u.next_window, business_date = u.next_date
            FROM u WHERE u.next_slot IS NOT NULL AND o.binding_id = u.binding_id AND o.scheduled_for = u.slot AND o.kind = u.kind
        ), parking AS (
          SELECT binding_id, lane, tenant_id, take::"char" AS state, now() AS ready_at, gives_up_at AS deadline FROM u
        ),
        """ + ParkedList.Upsert +
        $"""
        SELECT binding_id FROM u
        """;

    /// <summary>Opens queued occurrences whose binding is free.</summary>
    /// <returns>The bindings that now have one.</returns>
    public async Task<IReadOnlyList<long>> PromoteAsync(IReadOnlyList<Promotion> promotions, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        var ids = promotions.Select(p => p.Row.BindingId).ToArray();
        // So that a cancel, which goes the same way, is either wholly before or wholly after.
        await AsideTurnStore.LockAsync(connection, ids, token);
        var promoted = (await connection.QueryAsync<long>(new CommandDefinition(PromoteSql, new
        {
            ids,
            slots = promotions.Select(p => p.Row.ScheduledFor.UtcDateTime).ToArray(),
            kinds = promotions.Select(p => p.Row.Kind).ToArray(),
            nexts = promotions.Select(p => p.NextOfStretch?.UtcDateTime).ToArray(),
            windows = promotions.Select(p => p.NextOfStretch is null ? null : (DateTime?)p.Row.ScheduledFor.UtcDateTime).ToArray(),
            nextDates = promotions.Select(p => p.NextOfStretch is { } next ? p.Plan.BusinessDateOf(next) : (DateOnly?)null).ToArray(),
            takes = promotions.Select(p => p.WaitsForDependencies ? "W" : "R").ToArray(),
            waits = promotions.Select(p => p.Waits?.TotalSeconds).ToArray(),
            dates = promotions.Select(p => p.Row.BusinessDate).ToArray(),
            starts = promotions.Select(p => p.Row.WindowStart?.UtcDateTime).ToArray(),
        }, transaction, cancellationToken: token))).AsList();
        await transaction.CommitAsync(token);
        return promoted;
    }
}

internal sealed record QueuedRow
{
    public long BindingId { get; init; }
    public DateTimeOffset ScheduledFor { get; init; }
    public short Kind { get; init; }
    public DateTimeOffset LastSlot { get; init; }
    public short Lane { get; init; }
    public DateTimeOffset? WindowStart { get; init; }
    public DateOnly BusinessDate { get; init; }
    public int Revision { get; init; }
    /// <summary>The revision whose schedule a stretch of slots is of; an edit since changes none of them.</summary>
    public int QueuedUnder { get; init; }
}

/// <summary>A queued occurrence that is to open; of a stretch of slots its first, the rest stay queued.</summary>
internal sealed record Promotion(QueuedRow Row, BindingPlan Plan, BindingPlan QueuedUnder)
{
    public DateTimeOffset? NextOfStretch =>
        Row.LastSlot > Row.ScheduledFor && QueuedUnder.Schedule.Next(Row.ScheduledFor) is { } next && next <= Row.LastSlot ? next : null;

    /// <summary>What a restatement computes from was there when the number was reported, and what has changed since is why it runs.</summary>
    public bool WaitsForDependencies => Plan.HasDependencies && Row.Kind != (short)OccurrenceKind.Restatement;

    /// <summary>
    /// How long it may take to start, from its instant on; a slot of the past (scheduled, replayed, backfilled) from when it opens on, since its successor's time has
    /// passed: it waits for its dependencies as long as it would have in its own time. Null: it does not give up.
    /// </summary>
    public TimeSpan? Waits =>
        Row.Kind is (short)OccurrenceKind.Event or (short)OccurrenceKind.Manual ? Plan.Job.Dependencies.WaitTimeout
        : WaitsForDependencies ? Plan.GivesUpAt(Row.ScheduledFor) - Row.ScheduledFor : null;
}
