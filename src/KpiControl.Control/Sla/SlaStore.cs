using Dapper;
using KpiControl.Control.Alerts;
using KpiControl.Control.Database;
using KpiControl.Control.Leases;
using Npgsql;
using NpgsqlTypes;

namespace KpiControl.Control.Sla;

/// <summary>Clocks that are due, and what becomes of them.</summary>
internal sealed class SlaStore(Databases databases)
{
    public const int PageSize = 500;

    // A run that ended after the due instant and before this look does not count for that instant: what was good then is in history.
    private const string Columns =
        """
        c.binding_id, c.clock, c.state, c.due_at, c.armed_at, c.replan, c.warn_at, c.breach_at, c.needs, c.target, c.grace, c.business_hours,
        rt.active, rt.revision, rt.good_through, now() AS now,
        CASE WHEN rt.last_run_at > CASE c.state WHEN 'pass' THEN c.warn_at ELSE c.breach_at END
             THEN (SELECT max(h.scheduled_for) FROM kpi_job_history h
                    WHERE h.binding_id = c.binding_id AND h.recorded_at >= c.needs AND h.recorded_at <= CASE c.state WHEN 'pass' THEN c.warn_at ELSE c.breach_at END
                      AND h.final AND h.status IN ('success', 'partial'))
             ELSE rt.good_through END AS good_then,
        CASE WHEN c.state <> 'pass' THEN coalesce((SELECT min(h.recorded_at) FROM kpi_job_history h
              WHERE h.binding_id = c.binding_id AND h.recorded_at > c.warn_at AND h.final AND h.status IN ('success', 'partial')
                AND CASE c.clock WHEN 'latency' THEN h.finished_at - h.started_at <= c.target
                                 WHEN 'freshness' THEN h.scheduled_for >= c.needs AND (c.business_hours IS NOT NULL OR h.scheduled_for + c.target > h.recorded_at)
                                 ELSE h.scheduled_for >= c.needs END), rt.last_run_at) END AS recovered_at
        """;

    private const string DueSql =
        $"""
        SELECT {Columns}
          FROM kpi_sla_clock c JOIN kpi_job_runtime rt USING (binding_id)
         WHERE c.due_at <= now() ORDER BY c.due_at LIMIT @limit
        """;

    public async Task<IReadOnlyList<SlaClockRow>> DueAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<SlaClockRow>(new CommandDefinition(DueSql, new { limit = PageSize }, cancellationToken: token))).AsList();
    }

    // One that is due as well goes the other way first: a result of now must not hide that it came too late.
    private const string RecoveredSql =
        $"""
        SELECT {Columns}
          FROM kpi_sla_clock c JOIN kpi_job_runtime rt USING (binding_id)
         WHERE c.state IN ('warn', 'breach') AND (c.due_at IS NULL OR c.due_at > now())
           AND CASE c.clock
                 WHEN 'freshness' THEN rt.good_through >= c.needs AND (c.business_hours IS NOT NULL OR rt.good_through + c.target > now())
                 WHEN 'availability' THEN rt.good_through >= c.needs
                 ELSE rt.last_run_at > c.warn_at AND (SELECT h.finished_at - h.started_at <= c.target FROM kpi_job_history h
                        WHERE h.binding_id = c.binding_id AND h.recorded_at > c.warn_at AND h.status IN ('success', 'partial') AND h.finished_at IS NOT NULL
                        ORDER BY h.recorded_at DESC LIMIT 1) END
         ORDER BY c.binding_id, c.clock LIMIT @limit
        """;

    /// <summary>Open ones that a result has made good since.</summary>
    public async Task<IReadOnlyList<SlaClockRow>> RecoveredAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<SlaClockRow>(new CommandDefinition(RecoveredSql, new { limit = PageSize }, cancellationToken: token))).AsList();
    }

    private const string SlowRunsSql =
        """
        SELECT n.binding_id, n.notice_id, n.run_id, n.is_breach, n.recorded_at FROM kpi_run_notice n WHERE n.kind = 'slow' ORDER BY n.notice_id LIMIT @limit
        """;

    public async Task<IReadOnlyList<(long BindingId, SlowRun Run)>> SlowRunsAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<(long BindingId, long NoticeId, long RunId, bool IsBreach, DateTime RecordedAt)>(
                new CommandDefinition(SlowRunsSql, new { limit = PageSize }, cancellationToken: token)))
            .Select(n => (n.BindingId, new SlowRun(n.NoticeId, n.RunId, n.IsBreach, n.RecordedAt))).ToList();
    }

    private const string LatencySql =
        $"""
        SELECT {Columns} FROM kpi_sla_clock c JOIN kpi_job_runtime rt USING (binding_id) WHERE c.clock = 'latency' AND c.binding_id = ANY (@bindings)
        """;

    public async Task<IReadOnlyList<SlaClockRow>> LatencyAsync(long[] bindings, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<SlaClockRow>(new CommandDefinition(LatencySql, new { bindings }, cancellationToken: token))).AsList();
    }

    private const string ForgetSql =
        """
        DELETE FROM kpi_run_notice WHERE notice_id = ANY (@notices)
        """;

    public async Task ForgetAsync(long[] notices, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await connection.ExecuteAsync(new CommandDefinition(ForgetSql, new { notices }, cancellationToken: token));
    }

    // However many nodes look at once: the clock that still stands as it was seen is moved by one of them, and that one writes the episode.
    private const string ApplySql =
        $"""
        WITH x AS (
          SELECT * FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::timestamptz[],
                               $10::timestamptz[], $11::interval[], $12::interval[], $13::boolean[], $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::text[], $18::bigint[], $19::text[])
                 AS x(ord, binding_id, clock, seen_state, seen_due, state, due_at, warn_at, breach_at, needs, target, grace, replan, opened_at, breached_at, resolved_at, resolution, run_id, business_hours)
        ), u AS (
          UPDATE kpi_sla_clock c SET state = x.state, due_at = x.due_at, warn_at = x.warn_at, breach_at = x.breach_at, needs = x.needs,
                 target = x.target, grace = x.grace, replan = x.replan, business_hours = x.business_hours
            FROM x WHERE c.binding_id = x.binding_id AND c.clock = x.clock AND c.state = x.seen_state AND c.due_at IS NOT DISTINCT FROM x.seen_due
          RETURNING x.*, c.tenant_id
        ), resolved AS (
          UPDATE kpi_sla_episode e SET resolved_at = greatest(u.resolved_at, e.opened_at), resolution = u.resolution
            FROM u WHERE u.resolved_at IS NOT NULL AND e.binding_id = u.binding_id AND e.clock = u.clock AND e.resolved_at IS NULL
          RETURNING e.*
        ), escalated AS (
          UPDATE kpi_sla_episode e SET breached_at = coalesce(e.breached_at, u.breached_at), run_id = coalesce(u.run_id, e.run_id),
                 breach_recorded_at = CASE WHEN coalesce(e.breached_at, u.breached_at) IS NOT NULL THEN coalesce(e.breach_recorded_at, now()) END
            FROM u WHERE u.opened_at IS NULL AND (u.breached_at IS NOT NULL OR u.run_id IS NOT NULL) AND e.binding_id = u.binding_id AND e.clock = u.clock AND e.resolved_at IS NULL
          RETURNING e.*
        ), opened AS (
          INSERT INTO kpi_sla_episode (tenant_id, binding_id, clock, opened_at, breached_at, breach_recorded_at, needs, run_id)
          SELECT tenant_id, binding_id, clock, opened_at, breached_at, CASE WHEN breached_at IS NOT NULL THEN now() END, CASE WHEN clock <> 'latency' THEN needs END, run_id
            FROM u WHERE opened_at IS NOT NULL
          RETURNING *
        ), events AS (
          SELECT *, CASE WHEN breached_at IS NULL THEN 'sla_warn' ELSE 'sla_breach' END AS event, coalesce(breached_at, opened_at) AS at FROM opened
          UNION ALL SELECT *, 'sla_breach', breached_at FROM escalated WHERE breach_recorded_at = now()
          UNION ALL SELECT *, 'recovered', resolved_at FROM resolved WHERE resolution = 'recovered'
        ), told AS (
          INSERT INTO kpi_alert_message (tenant_id, binding_id, episode_id, event, channel_type, channel_value, severity, run_id, occurred_at)
          SELECT v.tenant_id, v.binding_id, v.episode_id, v.event, a.channel_type, a.channel_value, a.severity, v.run_id, v.at
            FROM events v JOIN kpi_alert_route a ON a.binding_id = v.binding_id AND v.event = ANY (a.events)
           WHERE v.event <> 'recovered'
          UNION ALL
          SELECT v.tenant_id, v.binding_id, v.episode_id, v.event, a.channel_type, a.channel_value, a.severity, v.run_id, v.at
            FROM events v CROSS JOIN LATERAL {RunNoticeStore.EndRoutes} a
           WHERE v.event = 'recovered'
             AND EXISTS (SELECT FROM kpi_alert_message m WHERE m.episode_id = v.episode_id AND m.channel_value = a.channel_value AND m.state <> 'dropped')
        )
        SELECT ord FROM u
        """;

    /// <summary>Writes changes; they must be in order of bindings and clocks.</summary>
    /// <returns>Those that still applied.</returns>
    public async Task<IReadOnlyList<SlaChange>> ApplyAsync(IReadOnlyList<SlaChange> changes, CancellationToken token)
    {
        await using var command = databases.Hot.CreateCommand(ApplySql);
        command.AddOrdinals(changes.Count);
        command.Add(changes, NpgsqlDbType.Bigint, c => c.Seen.BindingId);
        command.Add(changes, NpgsqlDbType.Text, c => c.Seen.Clock);
        command.Add(changes, NpgsqlDbType.Text, c => c.Seen.State);
        command.Add(changes, NpgsqlDbType.TimestampTz, c => c.Seen.DueAt?.UtcDateTime);
        command.Add(changes, NpgsqlDbType.Text, c => c.State);
        command.Add(changes, NpgsqlDbType.TimestampTz, c => c.DueAt?.UtcDateTime);
        command.Add(changes, NpgsqlDbType.TimestampTz, c => c.Promise?.WarnAt.UtcDateTime);
        command.Add(changes, NpgsqlDbType.TimestampTz, c => c.Promise?.BreachAt.UtcDateTime);
        command.Add(changes, NpgsqlDbType.TimestampTz, c => c.Promise?.Needs.UtcDateTime);
        command.Add(changes, NpgsqlDbType.Interval, c => c.Target);
        command.Add(changes, NpgsqlDbType.Interval, c => c.Grace);
        command.Add(changes, NpgsqlDbType.Boolean, c => c.Replan);
        command.Add(changes, NpgsqlDbType.TimestampTz, c => c.OpenedAt?.UtcDateTime);
        command.Add(changes, NpgsqlDbType.TimestampTz, c => c.BreachedAt?.UtcDateTime);
        command.Add(changes, NpgsqlDbType.TimestampTz, c => c.ResolvedAt?.UtcDateTime);
        command.Add(changes, NpgsqlDbType.Text, c => c.Resolution);
        command.Add(changes, NpgsqlDbType.Bigint, c => c.RunId);
        command.Add(changes, NpgsqlDbType.Text, c => c.BusinessHours);
        var applied = new List<SlaChange>(changes.Count);
        await using var reader = await command.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            applied.Add(changes[reader.GetInt32(0)]);
        return applied;
    }
}
