using Dapper;
using KpiControl.Control.Database;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KpiControl.Control.Leases;

/// <summary>Takes leases back from sessions that ended.</summary>
internal sealed class ReclaimStore(Databases databases, IOptions<LeaseOptions> options)
{
    // Every pass stamps the row. After a gap longer than half a TTL (all nodes were away, or the database was) nothing is
    // reclaimed for one TTL, whichever node looks first: agents that are well have had nobody to tell. A node that was only suspended
    // still has the streams of the sessions that end here, and is told.
    private const string PassSql =
        """
        WITH pass AS (
          UPDATE kpi_cluster SET reclaimer_passed_at = now(),
            amnesty_until = CASE WHEN now() - reclaimer_passed_at > @ttl::interval / 2 THEN GREATEST(amnesty_until, now() + @ttl::interval) ELSE amnesty_until END
          RETURNING amnesty_until
        ), ended AS (
          UPDATE kpi_session s SET ended_at = now(), end_reason = 'node_lost' FROM kpi_node n, pass
           WHERE n.node_id = s.node_id AND s.ended_at IS NULL AND pass.amnesty_until <= now()
             AND (n.expires_at + @grace::interval < now() OR (n.generation > s.node_generation AND n.started_at + @ttl::interval + @grace::interval < now()))
          RETURNING s.session_id
        ), told AS MATERIALIZED (
          SELECT pg_notify('kpi', 'ended ' || session_id) FROM ended
        )
        SELECT (SELECT epoch FROM kpi_cluster) AS epoch, (SELECT timeline = kpi_timeline() FROM kpi_cluster) AS epoch_stands,
               (SELECT amnesty_until > now() FROM pass) AS amnesty, (SELECT count(*) FROM told)::int AS ended,
               EXISTS (SELECT FROM kpi_session WHERE ended_at IS NOT NULL AND reclaimed_at IS NULL) AS owed
        """;

    public async Task<ReclaimPass> PassAsync(TimeSpan ttl, TimeSpan grace, CancellationToken token)
    {
        await using var connection = await databases.Heartbeat.OpenConnectionAsync(token);
        return await connection.QuerySingleAsync<ReclaimPass>(new CommandDefinition(PassSql, new { ttl, grace }, cancellationToken: token));
    }

    // An occurrence that lost its lease too often ends here: whatever runs it takes its agent down. Earlier losses are in
    // history, written by the grants that followed them; this one is that row's. What was returned unrun is no loss. One that
    // was cancelled ends too, however its lease came back: no grant would take it.
    private const string GiveBack =
        $"""
        , counted AS MATERIALIZED (
          SELECT l.*, CASE WHEN l.occ_cancel THEN 'cancelled' WHEN l.why = {ReasonNumber.LeaseLost} AND @losses <= 1 + (
              SELECT count(*) FROM kpi_job_history h JOIN kpi_job_runtime rt USING (binding_id)
               WHERE h.binding_id = l.binding_id AND h.recorded_at > now() - @within::interval AND h.status = 'lost' AND h.reason = 'lease_lost'
                 AND h.scheduled_for = rt.occ_scheduled_for AND h.trigger_kind = kpi_kind_name(rt.occ_kind)) THEN 'failed' END AS ends_as
            FROM leased l
        ), u AS (
          UPDATE kpi_job_runtime rt SET occ_state = CASE WHEN l.ends_as IS NULL THEN 'R'::"char" END, occ_reason = l.why, occ_lost_as = l.why, occ_deadline = NULL, session_id = NULL, generation = NULL, lease_deadline = NULL,
            attempt_id = CASE WHEN l.ends_as IS NULL THEN rt.attempt_id END, occ_cancel = false,
            last_run_at = CASE WHEN l.ends_as = 'failed' AND rt.occ_kind <> {KindNumber.Restatement} THEN now() ELSE rt.last_run_at END, last_status = CASE WHEN l.ends_as = 'failed' AND rt.occ_kind <> {KindNumber.Restatement} THEN 'failed' ELSE rt.last_status END,
            last_error = CASE WHEN l.ends_as = 'failed' AND rt.occ_kind <> {KindNumber.Restatement} THEN 'LEASE_LOST: its lease was lost ' || @losses || ' times' ELSE rt.last_error END
            FROM counted l WHERE rt.binding_id = l.binding_id AND rt.occ_state = 'L' AND rt.attempt_id = l.attempt_id
          RETURNING rt.binding_id, coalesce(rt.occ_lane, abs(rt.lane)) AS lane, rt.tenant_id, l.ends_as, l.why, l.attempt_id, rt.occ_revision, rt.retry_count, rt.occ_scheduled_for, rt.occ_window_start,
            rt.occ_business_date, rt.occ_kind, rt.fence_n, rt.fence_epoch
        ), parking AS (
          SELECT binding_id, lane, tenant_id, 'R'::"char" AS state, now() AS ready_at, NULL::timestamptz AS deadline FROM u WHERE ends_as IS NULL
        ),
        """ + ParkedList.Upsert +
        $"""
        , ended AS (
          INSERT INTO kpi_job_history (run_id, tenant_id, binding_id, revision, attempt_id, retry_seq, scheduled_for, window_start, business_date, lane, fence_epoch, final, status, reason, trigger_kind)
          SELECT fence_n, tenant_id, binding_id, occ_revision, attempt_id, retry_count, occ_scheduled_for, occ_window_start, occ_business_date, lane, fence_epoch, true, ends_as,
                 CASE why WHEN {ReasonNumber.Returned} THEN 'returned' ELSE 'lease_lost' END, kpi_kind_name(occ_kind) FROM u WHERE ends_as IS NOT NULL RETURNING run_id
        ), chained AS (
          INSERT INTO kpi_chain_pending (run_ids) SELECT array_agg(run_id) FROM ended HAVING count(*) > 0
        )
        SELECT lane FROM u
        """;

    // A grant holds its session's row shared and wants it live: once a session has ended, the leases it will ever hold are
    // there to be seen, and what of them stands aside goes back first: none of them does so any more. Found by a scan (75 ms a million bindings); an index on session_id would move with every run.
    private const string ReclaimSql =
        $"""
        WITH owed AS MATERIALIZED (
          SELECT s.session_id FROM kpi_session s WHERE s.ended_at IS NOT NULL AND s.reclaimed_at IS NULL
             AND NOT EXISTS (SELECT FROM kpi_aside a WHERE a.session_id = s.session_id) ORDER BY s.session_id FOR UPDATE SKIP LOCKED
        ), leased AS MATERIALIZED (
          SELECT rt.binding_id, rt.attempt_id, rt.occ_cancel, {ReasonNumber.LeaseLost}::int2 AS why FROM kpi_job_runtime rt WHERE rt.occ_state = 'L' AND rt.session_id IN (SELECT session_id FROM owed)
           ORDER BY rt.binding_id FOR NO KEY UPDATE
        ), done AS (
          UPDATE kpi_session s SET reclaimed_at = now() FROM owed WHERE s.session_id = owed.session_id
        )
        """ + GiveBack;

    /// <summary>Gives back the leases of every session that ended.</summary>
    /// <returns>The lane of each.</returns>
    public async Task<IReadOnlyList<short>> ReclaimAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        var aside = await GiveBackAsideAsync(connection, OwedAsideSql, null, token);
        return [.. aside, .. await connection.QueryAsync<short>(new CommandDefinition(ReclaimSql, new { losses = options.Value.LossesToQuarantine, within = options.Value.LossesWithin }, cancellationToken: token))];
    }

    private const string OwedAsideSql =
        $"""
        SELECT a.binding_id, a.occ_scheduled_for AS scheduled_for, a.occ_kind AS kind, a.attempt_id, {ReasonNumber.LeaseLost}::int2 AS why
          FROM kpi_aside a JOIN kpi_session s USING (session_id) WHERE a.occ_state = 'L' AND s.ended_at IS NOT NULL
        """;

    private const string GiveBackInRowSql =
        """
        WITH leased AS MATERIALIZED (
          SELECT rt.binding_id, rt.attempt_id, rt.occ_cancel, x.why FROM unnest(@ids, @attempts, @whys) AS x(binding_id, attempt_id, why)
            JOIN kpi_job_runtime rt ON rt.binding_id = x.binding_id AND rt.attempt_id = x.attempt_id WHERE rt.occ_state = 'L'
        )
        """ + GiveBack;

    // What a statement finds aside: each in its turn, by what gives back all others.
    private async Task<List<short>> GiveBackAsideAsync(NpgsqlConnection connection, string sql, object? parameters, CancellationToken token)
    {
        var found = (await connection.QueryAsync<AsideLease>(new CommandDefinition(sql, parameters, cancellationToken: token))).ToDictionary(lease => new AsideKey(lease.BindingId, lease.ScheduledFor, lease.Kind));
        var lanes = new List<short>(found.Count);
        if (found.Count == 0)
            return lanes;
        await using var transaction = await connection.BeginTransactionAsync(token);
        await AsideTurnStore.LockAsync(connection, found.Keys.Select(key => key.BindingId), token);
        await AsideTurnStore.ServeAsync(connection, found.Keys, async turn => lanes.AddRange(await connection.QueryAsync<short>(new CommandDefinition(GiveBackInRowSql, new
        {
            ids = turn.Select(key => key.BindingId).ToArray(), attempts = turn.Select(key => found[key].AttemptId).ToArray(), whys = turn.Select(key => found[key].Why).ToArray(),
            losses = options.Value.LossesToQuarantine, within = options.Value.LossesWithin,
        }, cancellationToken: token))), token);
        await transaction.CommitAsync(token);
        return lanes;
    }

    // Leases that were granted to a session's earlier stream and are not held, or that the agent returns unrun. What is not held
    // is lost where it had begun: the agent's process may have died of it and started anew. Else it never got there.
    private const string ReturnSql =
        $"""
        WITH x AS (SELECT * FROM unnest(@sessions, @generations) AS x(session_id, generation)),
        leased AS MATERIALIZED (
          SELECT rt.binding_id, rt.attempt_id, rt.occ_cancel, CASE WHEN rt.attempt_id = ANY (@begun) THEN {ReasonNumber.LeaseLost} ELSE {ReasonNumber.Returned} END::int2 AS why FROM kpi_job_runtime rt JOIN x ON rt.session_id = x.session_id
           WHERE rt.occ_state = 'L' AND ((@returned AND rt.attempt_id = ANY (@attempts)) OR (NOT @returned AND rt.generation < x.generation AND NOT rt.attempt_id = ANY (@attempts)))
           ORDER BY rt.binding_id FOR NO KEY UPDATE OF rt
        )
        """ + GiveBack;

    /// <summary>Gives back what resumed sessions do not hold: one scan for all of them.</summary>
    public Task<IReadOnlyList<short>> ReturnUnheldAsync(IReadOnlyCollection<ResumedSession> resumed, CancellationToken token) =>
        ReturnAsync([.. resumed.Select(r => r.Session)], resumed.SelectMany(r => r.Held), returned: false, resumed.SelectMany(r => r.Begun), token);

    /// <summary>Gives back attempts that an agent returns unrun.</summary>
    public Task<IReadOnlyList<short>> ReturnAsync(SessionRef session, IEnumerable<Guid> attempts, CancellationToken token) =>
        ReturnAsync([session], attempts, returned: true, [], token);

    /// <summary>Gives back an attempt that ran and whose end cannot be recorded: a loss like any other.</summary>
    public Task<IReadOnlyList<short>> LoseAsync(SessionRef session, Guid attempt, CancellationToken token) =>
        ReturnAsync([session], [attempt], returned: true, [attempt], token);

    // After the rows: a lease that stands aside does so to its end, so it is found in one of the two.
    private const string ReturnAsideSql =
        $"""
        SELECT a.binding_id, a.occ_scheduled_for AS scheduled_for, a.occ_kind AS kind, a.attempt_id, CASE WHEN a.attempt_id = ANY (@begun) THEN {ReasonNumber.LeaseLost} ELSE {ReasonNumber.Returned} END::int2 AS why
          FROM kpi_aside a JOIN unnest(@sessions, @generations) AS x(session_id, generation) ON a.session_id = x.session_id
         WHERE a.occ_state = 'L' AND ((@returned AND a.attempt_id = ANY (@attempts)) OR (NOT @returned AND a.generation < x.generation AND NOT a.attempt_id = ANY (@attempts)))
        """;

    private async Task<IReadOnlyList<short>> ReturnAsync(IReadOnlyCollection<SessionRef> sessions, IEnumerable<Guid> attempts, bool returned, IEnumerable<Guid> begun, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        var parameters = new
        {
            sessions = sessions.Select(s => s.SessionId).ToArray(), generations = sessions.Select(s => s.Generation).ToArray(), attempts = attempts.ToArray(), returned, begun = begun.ToArray(),
            losses = options.Value.LossesToQuarantine, within = options.Value.LossesWithin,
        };
        var lanes = (await connection.QueryAsync<short>(new CommandDefinition(ReturnSql, parameters, cancellationToken: token))).AsList();
        lanes.AddRange(await GiveBackAsideAsync(connection, ReturnAsideSql, parameters, token));
        return lanes;
    }

    private sealed record AsideLease
    {
        public long BindingId { get; init; }
        public DateTimeOffset ScheduledFor { get; init; }
        public short Kind { get; init; }
        public Guid AttemptId { get; init; }
        public short Why { get; init; }
    }
}

/// <summary>A session whose agent said Hello again: what it holds, and what this node knows to have begun on an earlier stream of it.</summary>
internal sealed record ResumedSession(SessionRef Session, IReadOnlyCollection<Guid> Held, IReadOnlyCollection<Guid> Begun);

/// <summary>What a pass of the reclaimer found.</summary>
internal sealed record ReclaimPass
{
    /// <summary>False: PostgreSQL writes on another timeline than the epoch was set on, and every grant finds nothing.</summary>
    public bool EpochStands { get; init; }
    public int Epoch { get; init; }
    /// <summary>Nothing is reclaimed now: there was an outage.</summary>
    public bool Amnesty { get; init; }
    public int Ended { get; init; }
    /// <summary>Sessions ended whose leases were not given back yet.</summary>
    public bool Owed { get; init; }
}
