using System.Globalization;
using KpiControl.Control.Database;
using Npgsql;
using NpgsqlTypes;

namespace KpiControl.Control.Leases;

/// <summary>Due becomes leased, waiting, ready, queued or skipped: one scan and one UPDATE.</summary>
internal sealed class DueStore(Databases databases)
{
    // No upper bound: with two bounds the planner takes a bitmap and a sort. The mark skips the dead prefix of the index
    // (0.3 ms instead of 151 under a held snapshot). What lies in the future tells how long to sleep.
    private const string ScanSql =
        """
        SELECT now(), binding_id, next_run_at, revision, tenant_id, occ_state IS NOT NULL, aside > 0 FROM kpi_job_runtime
         WHERE lane = $1 AND next_run_at >= $2 ORDER BY next_run_at LIMIT $3
        """;

    public async Task<DueScan> ScanAsync(short lane, DateTimeOffset mark, int limit, CancellationToken token)
    {
        await using var command = databases.Hot.CreateCommand(ScanSql);
        command.AddValue(lane);
        command.Parameters.Add(new NpgsqlParameter { Value = mark.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz });
        command.AddValue(limit);
        var (now, rows) = (DateTimeOffset.MaxValue, new List<DueRow>());
        await using var reader = await command.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
        {
            if (rows.Count == 0)
                now = reader.GetFieldValue<DateTimeOffset>(0);
            rows.Add(new DueRow(reader.GetInt64(1), reader.GetFieldValue<DateTimeOffset>(2), reader.GetInt32(3), reader.GetString(4), reader.GetBoolean(5), reader.GetBoolean(6)));
        }
        return new DueScan(now, rows);
    }

    // Conditions stand in the UPDATE's own WHERE: PostgreSQL evaluates them again after waiting for a row's lock, so a
    // pause, a rebind, another node's scan and a completion, which update the same row, cannot race it.
    // lane + 0: what the due index cannot answer. With lane > 0 a planner that knows no statistics walks all that is due, in
    // the heap's order, and deadlocks (seen); so only the primary key is left, in the order of x.
    // Of a slot that is to run (take L, W or R):
    //   opens    the row is free
    //   queues   it is not, and the open one merely waits (first try, never leased), is a replay's, a backfill's or a restatement's, or the job queues one
    //   else     it is skipped: overlap
    private const string Opens = "rt.occ_state IS NULL AND x.take IN ('L', 'W', 'R')";
    private const string Leases = "rt.occ_state IS NULL AND x.take = 'L'";
    private const string Queues =
        $"""
        rt.occ_state IS NOT NULL AND x.take IN ('L', 'W', 'R')
              AND ((rt.occ_state <> 'L' AND rt.retry_count = 0 AND rt.attempt_id IS NULL) OR (x.queue_one AND rt.queued = 0) OR x.cancel_previous
                   OR rt.occ_kind IN ({KindNumber.Replay}, {KindNumber.Backfill}, {KindNumber.Restatement}))
        """;

    private const string TakeSql =
        $"""
        WITH x AS (
          SELECT * FROM unnest($1::int[], $2::bigint[], $3::timestamptz[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
                               $8::date[], $9::text[], $10::uuid[], $11::bigint[], $12::int[], $13::float8[], $14::timestamptz[], $15::int2[],
                               $16::boolean[], $17::text[], $18::int2[], $22::boolean[])
                 AS x(ord, binding_id, seen, revision, next, slot, window_start, business_date, take, attempt, session_id, generation,
                      lease_seconds, gives_up_at, reason, queue_one, zone_version, catchup_lane, cancel_previous)
        ), ep AS MATERIALIZED (
          SELECT epoch FROM kpi_cluster WHERE timeline = kpi_timeline()
        ), se AS MATERIALIZED (
          SELECT s.session_id, s.generation FROM kpi_session s JOIN kpi_node n USING (node_id)
           WHERE s.session_id = ANY ($19::bigint[]) AND s.ended_at IS NULL AND s.drained_at IS NULL
             AND s.node_id = $20 AND s.node_generation = $21 AND n.generation = $21 AND n.expires_at > now()
             FOR SHARE OF s
        ), u AS (
          UPDATE kpi_job_runtime rt SET
            next_run_at = x.next,
            queued = rt.queued + CASE WHEN {Queues} THEN 1 ELSE 0 END,
            queued_slot = CASE WHEN {Queues} THEN x.slot ELSE rt.queued_slot END,
            occ_scheduled_for = CASE WHEN {Opens} THEN x.slot ELSE rt.occ_scheduled_for END,
            occ_kind = CASE WHEN {Opens} THEN {KindNumber.Schedule} ELSE rt.occ_kind END,
            occ_window_start = CASE WHEN {Opens} THEN x.window_start ELSE rt.occ_window_start END,
            occ_business_date = CASE WHEN {Opens} THEN x.business_date ELSE rt.occ_business_date END,
            occ_reason = CASE WHEN {Opens} THEN x.reason ELSE rt.occ_reason END,
            occ_deadline = CASE WHEN rt.occ_state IS NULL AND x.take IN ('W', 'R') THEN x.gives_up_at WHEN rt.occ_state IS NULL THEN NULL ELSE rt.occ_deadline END,
            occ_retry_at = CASE WHEN rt.occ_state IS NULL THEN NULL ELSE rt.occ_retry_at END,
            occ_lane = CASE WHEN rt.occ_state IS NOT NULL THEN rt.occ_lane END,
            occ_pinned = CASE WHEN rt.occ_state IS NOT NULL THEN rt.occ_pinned END,
            retry_count = CASE WHEN {Opens} THEN 0 ELSE rt.retry_count END,
            occ_revision = CASE WHEN {Leases} THEN x.revision ELSE rt.occ_revision END,
            attempt_id = CASE WHEN rt.occ_state IS NULL THEN CASE WHEN x.take = 'L' THEN x.attempt END ELSE rt.attempt_id END,
            session_id = CASE WHEN {Leases} THEN x.session_id ELSE rt.session_id END,
            generation = CASE WHEN {Leases} THEN x.generation ELSE rt.generation END,
            lease_deadline = CASE WHEN {Leases} THEN now() + make_interval(secs => x.lease_seconds) ELSE rt.lease_deadline END,
            fence_n = CASE WHEN {Leases} THEN nextval('kpi_fence') ELSE rt.fence_n END,
            fence_epoch = CASE WHEN {Leases} THEN ep.epoch ELSE rt.fence_epoch END,
            occ_state = CASE WHEN {Opens} THEN x.take::"char" ELSE rt.occ_state END
          FROM x CROSS JOIN ep LEFT JOIN se ON se.session_id = x.session_id AND se.generation = x.generation
          WHERE rt.binding_id = x.binding_id AND rt.next_run_at = x.seen AND rt.revision = x.revision
            AND rt.lane + 0 > 0 AND rt.active AND (rt.paused_until IS NULL OR rt.paused_until <= now())
            AND (x.take <> 'L' OR (se.session_id IS NOT NULL AND EXISTS (
              SELECT FROM kpi_session_tenant st WHERE st.session_id = x.session_id AND st.tenant_id = rt.tenant_id)))
          RETURNING x.ord, x.binding_id, x.slot, x.window_start, x.business_date, x.take, x.zone_version, x.catchup_lane, x.revision, x.gives_up_at, x.cancel_previous,
            rt.tenant_id, rt.lane, rt.fence_n, rt.fence_epoch,
            CASE WHEN x.take = 'N' THEN 'moved' WHEN rt.occ_scheduled_for = x.slot AND rt.occ_kind = {KindNumber.Schedule} AND rt.occ_state IS NOT NULL THEN 'opened'
                 WHEN rt.queued_slot = x.slot THEN 'queued' ELSE 'overlap' END AS fate
        ), parking AS (
          SELECT binding_id, lane, tenant_id, take::"char" AS state, now() AS ready_at, gives_up_at AS deadline FROM u WHERE fate = 'opened' AND take IN ('W', 'R')
        ),
        """ + ParkedList.Upsert +
        $"""
        , behind AS (
          INSERT INTO kpi_occurrence (binding_id, scheduled_for, kind, last_slot, lane, window_start, business_date, revision, tenant_id, requested_by, reason)
          SELECT binding_id, slot, {KindNumber.Schedule}, slot, lane, window_start, business_date, revision, tenant_id, 'schedule', CASE WHEN cancel_previous THEN 'cancel_previous' ELSE 'overlap' END FROM u WHERE fate = 'queued'
        ), skipped AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, scheduled_for, window_start, business_date, lane, final, status, reason, trigger_kind, zone_version)
          SELECT nextval('kpi_fence'), tenant_id, binding_id, revision, slot, window_start, business_date, lane, true, 'skipped', 'overlap', 'schedule', zone_version
            FROM u WHERE fate = 'overlap' RETURNING run_id
        ), chained AS (
          INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(run_id) FROM skipped HAVING count(*) > 0
        )
        SELECT ord, fate, fence_n, fence_epoch FROM u
        """;

    /// <summary>Moves cursors and opens what may be opened; the takes must be in order of their bindings.</summary>
    /// <returns>What became of each; one that is absent was no longer as seen, and nothing of it changed.</returns>
    public async Task<IReadOnlyList<TakenSlot>> TakeAsync(IReadOnlyList<SlotTake> takes, NodeRef node, CancellationToken token)
    {
        var missed = takes.Any(take => take.Skipped.Count > 0 || take.Queued.Count > 0);
        await using var connection = await databases.Hot.OpenConnectionAsync(token);
        // Two statements only where slots were missed; they commit together with the cursor that passed those slots.
        await using var transaction = missed ? await connection.BeginTransactionAsync(token) : null;
        await using var command = new NpgsqlCommand(TakeSql, connection, transaction);
        Bind(command, takes, node);
        var taken = new List<TakenSlot>(takes.Count);
        await using (var reader = await command.ExecuteReaderAsync(token))
            while (await reader.ReadAsync(token))
                taken.Add(new TakenSlot(takes[reader.GetInt32(0)], FateOf(reader.GetString(1)), reader.GetInt64(2), reader.GetInt32(3)));
        if (transaction is not null)
        {
            await RecordMissedAsync(connection, transaction, taken, token);
            await transaction.CommitAsync(token);
        }
        return taken;
    }

    private const string MissedSql =
        """
        WITH m AS (
          SELECT * FROM unnest($1::bigint[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::int[], $6::date[], $7::text[], $8::text[])
                 AS m(binding_id, revision, first, last, count, business_date, reason, zone_version)
        ), h AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, scheduled_for, slot_last, slot_count, business_date, lane, final, status, reason, trigger_kind, zone_version)
          SELECT nextval('kpi_fence'), rt.tenant_id, rt.binding_id, m.revision, m.first, CASE WHEN m.count > 1 THEN m.last END, m.count, m.business_date,
                 rt.lane, true, 'skipped', m.reason, 'schedule', m.zone_version
            FROM m JOIN kpi_job_runtime rt USING (binding_id) RETURNING run_id
        )
        INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(run_id) FROM h HAVING count(*) > 0
        """;

    private const string CatchUpSql =
        """
        WITH q AS (
          SELECT * FROM unnest($1::bigint[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::date[], $6::timestamptz[], $7::int2[])
                 AS q(binding_id, revision, first, last, business_date, window_start, catchup_lane)
        ), counted AS (
          UPDATE kpi_job_runtime rt SET queued = rt.queued + n FROM (SELECT binding_id, count(*)::int AS n FROM q GROUP BY 1) q WHERE rt.binding_id = q.binding_id RETURNING rt.binding_id, rt.tenant_id
        )
        INSERT INTO kpi_occurrence (binding_id, scheduled_for, kind, last_slot, lane, window_start, business_date, revision, tenant_id, requested_by, reason)
        SELECT q.binding_id, q.first, 0, q.last, q.catchup_lane, q.window_start, q.business_date, q.revision, c.tenant_id, 'schedule', 'catchup'
          FROM q JOIN counted c USING (binding_id)
        """;

    private static async Task RecordMissedAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<TakenSlot> taken, CancellationToken token)
    {
        var skipped = taken.SelectMany(t => t.Take.Skipped.Select(s => (t.Take, s.Range, s.Reason))).ToList();
        if (skipped.Count > 0)
        {
            await using var command = new NpgsqlCommand(MissedSql, connection, transaction);
            command.Add(skipped, NpgsqlDbType.Bigint, m => m.Take.Plan.BindingId);
            command.Add(skipped, NpgsqlDbType.Integer, m => m.Take.Plan.Revision);
            command.Add(skipped, NpgsqlDbType.TimestampTz, m => m.Range.First.UtcDateTime);
            command.Add(skipped, NpgsqlDbType.TimestampTz, m => m.Range.Last.UtcDateTime);
            command.Add(skipped, NpgsqlDbType.Integer, m => (int)m.Range.Count);
            command.Add(skipped, NpgsqlDbType.Date, m => m.Take.Plan.BusinessDateOf(m.Range.First));
            command.Add(skipped, NpgsqlDbType.Text, m => m.Reason);
            command.Add(skipped, NpgsqlDbType.Text, m => m.Take.Plan.ZoneVersion);
            await command.ExecuteNonQueryAsync(token);
        }
        var queued = taken.SelectMany(t => t.Take.Queued.Select(range => (t.Take.Plan, Range: range))).ToList();
        if (queued.Count == 0)
            return;
        await using var queue = new NpgsqlCommand(CatchUpSql, connection, transaction);
        queue.Add(queued, NpgsqlDbType.Bigint, q => q.Plan.BindingId);
        queue.Add(queued, NpgsqlDbType.Integer, q => q.Plan.Revision);
        queue.Add(queued, NpgsqlDbType.TimestampTz, q => q.Range.First.UtcDateTime);
        queue.Add(queued, NpgsqlDbType.TimestampTz, q => q.Range.Last.UtcDateTime);
        queue.Add(queued, NpgsqlDbType.Date, q => q.Plan.BusinessDateOf(q.Range.First));
        queue.Add(queued, NpgsqlDbType.TimestampTz, q => q.Plan.Schedule.Previous(q.Range.First)?.UtcDateTime);
        queue.Add(queued, NpgsqlDbType.Smallint, q => q.Plan.CatchupLane);
        await queue.ExecuteNonQueryAsync(token);
    }

    private static void Bind(NpgsqlCommand command, IReadOnlyList<SlotTake> takes, NodeRef node)
    {
        command.AddOrdinals(takes.Count);
        command.Add(takes, NpgsqlDbType.Bigint, t => t.Plan.BindingId);
        command.Add(takes, NpgsqlDbType.TimestampTz, t => t.Seen.UtcDateTime);
        command.Add(takes, NpgsqlDbType.Integer, t => t.Plan.Revision);
        command.Add(takes, NpgsqlDbType.TimestampTz, t => t.NextCursor?.UtcDateTime);
        command.Add(takes, NpgsqlDbType.TimestampTz, t => t.Slot.UtcDateTime);
        command.Add(takes, NpgsqlDbType.TimestampTz, t => t.WindowStart?.UtcDateTime);
        command.Add(takes, NpgsqlDbType.Date, t => t.BusinessDate);
        command.Add(takes, NpgsqlDbType.Text, t => t.As switch { TakeAs.Leased => "L", TakeAs.Waiting => "W", TakeAs.Ready => "R", _ => "N" });
        command.Add(takes, NpgsqlDbType.Uuid, t => t.Attempt);
        command.Add(takes, NpgsqlDbType.Bigint, t => t.Session.SessionId);
        command.Add(takes, NpgsqlDbType.Integer, t => t.Session.Generation);
        command.Add(takes, NpgsqlDbType.Double, t => t.Timeout.TotalSeconds);
        command.Add(takes, NpgsqlDbType.TimestampTz, t => t.GivesUpAt?.UtcDateTime);
        command.Add(takes, NpgsqlDbType.Smallint, t => (short?)t.Reason);
        command.Add(takes, NpgsqlDbType.Boolean, t => t.Plan.Job.Schedule.Overlap == "queue_one" || t.Plan.RunsBesideItself);
        command.Add(takes, NpgsqlDbType.Text, t => t.Plan.ZoneVersion);
        command.Add(takes, NpgsqlDbType.Smallint, t => t.Plan.CatchupLane);
        command.Parameters.Add(new NpgsqlParameter { Value = takes.Select(t => t.Session.SessionId).Distinct().ToArray() });
        command.AddValue(node.NodeId);
        command.AddValue(node.Generation);
        command.Add(takes, NpgsqlDbType.Boolean, t => t.Plan.Job.Schedule.Overlap == "cancel_previous");
    }

    private static SlotFate FateOf(string word) => word switch
    {
        "opened" => SlotFate.Opened,
        "queued" => SlotFate.Queued,
        "overlap" => SlotFate.Overlap,
        _ => SlotFate.Moved,
    };
}

internal enum SlotFate { Opened, Queued, Overlap, Moved }

/// <summary>A take that the database agreed to.</summary>
internal sealed record TakenSlot(SlotTake Take, SlotFate Fate, long FenceNumber, int FenceEpoch);

/// <summary>This process among the control plane's nodes.</summary>
internal readonly record struct NodeRef(int NodeId, int Generation);
