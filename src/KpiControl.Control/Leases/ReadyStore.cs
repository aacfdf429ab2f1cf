using KpiControl.Control.Database;
using Npgsql;
using NpgsqlTypes;

namespace KpiControl.Control.Leases;

/// <summary>Open occurrences that are ready and not leased: those that waited, are tried again, or lost their lease.</summary>
internal sealed class ReadyStore(Databases databases)
{
    // Pages go on by (ready_at, binding_id): many become ready at one instant. Written so that the index begins where the page does.
    private const string ScanSql =
        """
        SELECT now(), k.binding_id, k.ticket, coalesce(rt.occ_state, ' '::"char"), k.ready_at, coalesce(rt.occ_scheduled_for, k.ready_at), rt.occ_window_start,
               coalesce(rt.occ_business_date, '0001-01-01'), coalesce(rt.occ_kind, 0::int2), rt.revision, rt.retry_count, rt.fence_n, rt.attempt_id, rt.tenant_id, rt.occ_lost_as, coalesce(rt.occ_pinned, rt.revision), rt.occ_revision
          FROM kpi_parked k JOIN kpi_job_runtime rt USING (binding_id)
         WHERE k.lane = $1 AND k.state = 'R' AND k.tenant_id = ANY ($2) AND rt.lane > 0
           AND k.ready_at >= $4 AND (k.ready_at > $4 OR k.binding_id > $5) ORDER BY k.ready_at, k.binding_id LIMIT $3
        """;

    public async Task<ReadyScan> ScanAsync(short lane, string[] tenants, ReadyRow? after, int limit, CancellationToken token)
    {
        await using var command = databases.Hot.CreateCommand(ScanSql);
        command.AddValue(lane);
        command.AddValue(tenants);
        command.AddValue(limit);
        command.Parameters.Add(new NpgsqlParameter { Value = (after?.ReadyAt ?? DateTimeOffset.MinValue).UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz });
        command.AddValue(after?.BindingId ?? 0);
        var (now, rows) = (DateTimeOffset.MaxValue, new List<ReadyRow>());
        await using var reader = await command.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
        {
            now = reader.GetFieldValue<DateTimeOffset>(0);
            rows.Add(new ReadyRow
            {
                BindingId = reader.GetInt64(1), Ticket = reader.GetInt64(2), State = reader.GetChar(3), ReadyAt = reader.GetFieldValue<DateTimeOffset>(4),
                ScheduledFor = reader.GetFieldValue<DateTimeOffset>(5), WindowStart = reader.IsDBNull(6) ? null : reader.GetFieldValue<DateTimeOffset>(6),
                BusinessDate = reader.GetFieldValue<DateOnly>(7), Kind = (OccurrenceKind)reader.GetInt16(8), Revision = reader.GetInt32(9),
                RetryCount = reader.GetInt32(10), FenceSeen = reader.GetInt64(11), LostAttempt = reader.IsDBNull(12) ? null : reader.GetGuid(12), Tenant = reader.GetString(13), LostBecause = reader.IsDBNull(14) ? null : (WaitingFor)reader.GetInt16(14),
                RunsUnder = reader.GetInt32(15), RanUnder = reader.IsDBNull(16) ? null : reader.GetInt32(16),
            });
        }
        return new ReadyScan(now, rows);
    }

    // Rows are locked in the order of their bindings: joined to the sessions first and sorted then, or the planner walks one
    // session after the other, and two grants that span several sessions deadlock (seen). For the same reason lane + 0, as in
    // DueStore, and OFFSET 0, which keeps the look-up of the tenant a look-up.
    // The attempt that lost its lease gets its history row here and not when the lease was taken back: until somebody
    // else holds the occurrence, its late result is still the occurrence's.
    // occ_deadline stays with the lease: one that finds its dependencies not ready waits no longer than if it had not been leased.
    private const string GrantSql =
        $"""
        WITH x AS (
          SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::int[], $5::timestamptz[], $6::uuid[], $7::bigint[], $8::int[], $9::float8[], $10::uuid[], $11::text[], $15::text[], $16::int[], $17::int[])
                 AS x(ord, binding_id, fence_seen, revision, slot, attempt, session_id, generation, lease_seconds, lost_attempt, zone_version, lost_because, runs_under, ran_under)
        ), ep AS MATERIALIZED (
          SELECT epoch FROM kpi_cluster WHERE timeline = kpi_timeline()
        ), se AS MATERIALIZED (
          SELECT s.session_id, s.generation FROM kpi_session s JOIN kpi_node n USING (node_id)
           WHERE s.session_id = ANY ($12::bigint[]) AND s.ended_at IS NULL AND s.drained_at IS NULL
             AND s.node_id = $13 AND s.node_generation = $14 AND n.generation = $14 AND n.expires_at > now()
             FOR SHARE OF s
        ), u AS (
          UPDATE kpi_job_runtime rt SET
            occ_state = 'L', occ_reason = NULL, occ_retry_at = NULL, occ_deadline = CASE WHEN rt.occ_reason IS DISTINCT FROM {ReasonNumber.Agent} THEN rt.occ_deadline END, occ_revision = x.runs_under,
            attempt_id = x.attempt, session_id = x.session_id, generation = x.generation,
            lease_deadline = now() + make_interval(secs => x.lease_seconds), fence_n = nextval('kpi_fence'), fence_epoch = x.epoch
          FROM (SELECT x.*, ep.epoch FROM x CROSS JOIN ep JOIN se ON se.session_id = x.session_id AND se.generation = x.generation ORDER BY x.binding_id) x
          WHERE rt.binding_id = x.binding_id AND rt.occ_state = 'R' AND rt.fence_n = x.fence_seen AND rt.revision = x.revision
            AND rt.occ_scheduled_for = x.slot AND rt.attempt_id IS NOT DISTINCT FROM x.lost_attempt AND NOT rt.occ_cancel
            AND (rt.occ_retry_at IS NULL OR rt.occ_retry_at <= now())
            AND rt.lane + 0 > 0 AND rt.active AND (rt.paused_until IS NULL OR rt.paused_until <= now())
            AND EXISTS (SELECT FROM kpi_session_tenant st WHERE st.session_id = x.session_id AND st.tenant_id = rt.tenant_id OFFSET 0)
          RETURNING x.ord, x.binding_id, x.lost_attempt, x.fence_seen, x.zone_version, x.lost_because, x.ran_under, rt.tenant_id, rt.lane, rt.occ_scheduled_for, rt.occ_window_start,
            rt.occ_business_date, rt.occ_kind, rt.occ_revision, rt.retry_count, rt.fence_n, rt.fence_epoch
        ), unparked AS (
          DELETE FROM kpi_parked k USING u WHERE k.binding_id = u.binding_id
        ), lost AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, attempt_id, retry_seq, scheduled_for, window_start, business_date, lane,
                                       final, status, reason, trigger_kind, zone_version)
          SELECT fence_seen, tenant_id, binding_id, ran_under, lost_attempt, retry_count, occ_scheduled_for, occ_window_start, occ_business_date, lane,
                 false, 'lost', lost_because, kpi_kind_name(occ_kind), zone_version FROM u WHERE lost_attempt IS NOT NULL RETURNING run_id
        ), chained AS (
          INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(run_id) FROM lost HAVING count(*) > 0
        )
        SELECT ord, fence_n, fence_epoch FROM u
        """;

    /// <summary>Leases ready occurrences; the grants must be in order of their bindings.</summary>
    public async Task<IReadOnlyList<GrantedReady>> GrantAsync(IReadOnlyList<ReadyGrant> grants, NodeRef node, CancellationToken token)
    {
        await using var connection = await databases.Hot.OpenConnectionAsync(token);
        return await GrantAsync(connection, grants, node, token);
    }

    public static async Task<IReadOnlyList<GrantedReady>> GrantAsync(NpgsqlConnection connection, IReadOnlyList<ReadyGrant> grants, NodeRef node, CancellationToken token)
    {
        await using var command = new NpgsqlCommand(GrantSql, connection);
        command.AddOrdinals(grants.Count);
        command.Add(grants, NpgsqlDbType.Bigint, g => g.Row.BindingId);
        command.Add(grants, NpgsqlDbType.Bigint, g => g.Row.FenceSeen);
        command.Add(grants, NpgsqlDbType.Integer, g => g.Row.Revision);
        command.Add(grants, NpgsqlDbType.TimestampTz, g => g.Row.ScheduledFor.UtcDateTime);
        command.Add(grants, NpgsqlDbType.Uuid, g => g.Attempt);
        command.Add(grants, NpgsqlDbType.Bigint, g => g.Session.SessionId);
        command.Add(grants, NpgsqlDbType.Integer, g => g.Session.Generation);
        command.Add(grants, NpgsqlDbType.Double, g => g.Timeout.TotalSeconds);
        command.Add(grants, NpgsqlDbType.Uuid, g => g.Row.LostAttempt);
        command.Add(grants, NpgsqlDbType.Text, g => g.Plan.ZoneVersion);
        command.Parameters.Add(new NpgsqlParameter { Value = grants.Select(g => g.Session.SessionId).Distinct().ToArray() });
        command.AddValue(node.NodeId);
        command.AddValue(node.Generation);
        command.Add(grants, NpgsqlDbType.Text, g => (g.Row.LostBecause == WaitingFor.Returned ? WaitingFor.Returned : WaitingFor.LeaseLost).Word());
        command.Add(grants, NpgsqlDbType.Integer, g => g.Row.RunsUnder);
        command.Add(grants, NpgsqlDbType.Integer, g => g.Row.RanUnder);
        var granted = new List<GrantedReady>(grants.Count);
        await using var reader = await command.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            granted.Add(new GrantedReady(grants[reader.GetInt32(0)], reader.GetInt64(1), reader.GetInt32(2)));
        return granted;
    }

    // The list is only a list: an entry whose occurrence has moved on is dropped, unless it was parked again since. It holds no
    // runtime row as all others do that come here, so it waits for nobody.
    private const string ForgetSql =
        """
        DELETE FROM kpi_parked k USING (
          SELECT p.binding_id FROM unnest($1::bigint[], $2::bigint[]) AS x(binding_id, ticket)
            JOIN kpi_parked p ON p.binding_id = x.binding_id AND p.ticket = x.ticket FOR UPDATE OF p SKIP LOCKED) gone
         WHERE k.binding_id = gone.binding_id
        """;

    public async Task ForgetAsync(IReadOnlyList<ReadyRow> rows, CancellationToken token)
    {
        await using var command = databases.Hot.CreateCommand(ForgetSql);
        command.Add(rows, NpgsqlDbType.Bigint, r => r.BindingId);
        command.Add(rows, NpgsqlDbType.Bigint, r => r.Ticket);
        await command.ExecuteNonQueryAsync(token);
    }

    // The net under the list: what is ready in the truth and not listed. What somebody is at work on is theirs to list.
    private const string RelistSql =
        """
        INSERT INTO kpi_parked (binding_id, lane, tenant_id, state, ready_at, deadline)
        SELECT rt.binding_id, coalesce(rt.occ_lane, abs(rt.lane)), rt.tenant_id, rt.occ_state, coalesce(rt.occ_retry_at, now()), rt.occ_deadline FROM kpi_job_runtime rt
         WHERE rt.occ_state IN ('W', 'R') AND NOT EXISTS (SELECT FROM kpi_parked k WHERE k.binding_id = rt.binding_id)
         ORDER BY rt.binding_id FOR NO KEY UPDATE OF rt SKIP LOCKED
        ON CONFLICT (binding_id) DO NOTHING
        """;

    public async Task<int> RelistAsync(CancellationToken token)
    {
        await using var command = databases.Scheduler.CreateCommand(RelistSql);
        return await command.ExecuteNonQueryAsync(token);
    }
}

/// <summary>A ready occurrence and the session that is to have it.</summary>
internal sealed record ReadyGrant(ReadyRow Row, BindingPlan Plan, SessionRef Session, Guid Attempt, TimeSpan Timeout);

internal sealed record GrantedReady(ReadyGrant Grant, long FenceNumber, int FenceEpoch);
