using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Alerts;

/// <summary>Runs that failed and slots that were skipped, told once each: what takes a notice writes what follows from it.</summary>
internal sealed class RunNoticeStore(Databases databases)
{
    // The same of an episode and channel is told once in ten minutes; of what somebody looks after, not again at all.
    private const string TellSql =
        """
        WITH n AS (
          DELETE FROM kpi_run_notice WHERE notice_id IN (
            SELECT notice_id FROM kpi_run_notice WHERE kind IN ('failure', 'skipped') ORDER BY notice_id LIMIT 500 FOR UPDATE SKIP LOCKED)
          RETURNING *
        ), f AS (
          SELECT binding_id, tenant_id, max(run_id) AS run_id, min(recorded_at) AS first_at, max(recorded_at) AS last_at, count(*)::int AS runs FROM n WHERE kind = 'failure' GROUP BY 1, 2
        ), e AS (
          INSERT INTO kpi_sla_episode (tenant_id, binding_id, clock, opened_at, breached_at, breach_recorded_at, run_id, run_count)
          SELECT tenant_id, binding_id, 'failure', first_at, first_at, now(), run_id, runs FROM f ORDER BY binding_id
          ON CONFLICT (binding_id, clock) WHERE resolved_at IS NULL DO UPDATE SET run_count = kpi_sla_episode.run_count + excluded.run_count, run_id = excluded.run_id
          RETURNING episode_id, binding_id, acknowledged_at
        ), s AS (
          SELECT DISTINCT ON (binding_id) binding_id, tenant_id, run_id, recorded_at FROM n WHERE kind = 'skipped' ORDER BY binding_id, notice_id DESC
        ), told AS (
          INSERT INTO kpi_alert_message (tenant_id, binding_id, episode_id, event, channel_type, channel_value, severity, run_id, occurred_at)
          SELECT f.tenant_id, f.binding_id, e.episode_id, 'failure', a.channel_type, a.channel_value, a.severity, f.run_id, f.last_at
            FROM f JOIN e USING (binding_id) JOIN kpi_alert_route a USING (binding_id)
           WHERE 'failure' = ANY (a.events) AND e.acknowledged_at IS NULL
             AND NOT EXISTS (SELECT FROM kpi_alert_message m WHERE m.episode_id = e.episode_id AND m.channel_value = a.channel_value AND m.event = 'failure' AND m.created_at > now() - interval '10 minutes')
          UNION ALL
          SELECT s.tenant_id, s.binding_id, NULL, 'skipped', a.channel_type, a.channel_value, a.severity, s.run_id, s.recorded_at
            FROM s JOIN kpi_alert_route a USING (binding_id)
           WHERE 'skipped' = ANY (a.events)
             AND NOT EXISTS (SELECT FROM kpi_alert_message m WHERE m.binding_id = s.binding_id AND m.channel_value = a.channel_value AND m.event = 'skipped' AND m.created_at > now() - interval '10 minutes')
        )
        SELECT count(*)::int FROM n
        """;

    /// <returns>How many notices were taken.</returns>
    public async Task<int> TellAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return await connection.QuerySingleAsync<int>(new CommandDefinition(TellSql, cancellationToken: token));
    }

    /// <summary>Where the end of something may be told, of a row <c>v</c> with a binding: the job's own routes, and ways that an override sent alerts, whether it stands or not.</summary>
    internal const string EndRoutes =
        """
        (SELECT a.channel_type, a.channel_value, a.severity FROM kpi_job_alert a WHERE a.binding_id = v.binding_id AND 'recovered' = ANY (a.events)
         UNION
         SELECT split_part(o.value, ':', 1), o.value, (array_agg(a.severity ORDER BY array_position('{high,medium,low}', a.severity)))[1]
           FROM kpi_override o JOIN kpi_job_alert a USING (binding_id) WHERE o.binding_id = v.binding_id AND o.kind = 'alert_route' GROUP BY o.value HAVING bool_or('recovered' = ANY (a.events)))
        """;

    // Told to those channels alone that heard of the failure.
    private const string RecoverSql =
        $"""
        WITH r AS (
          UPDATE kpi_sla_episode e SET resolved_at = greatest(e.opened_at, CASE WHEN rt.active THEN rt.last_run_at ELSE now() END), resolution = CASE WHEN rt.active THEN 'recovered' ELSE 'retired' END
            FROM kpi_job_runtime rt
           WHERE e.clock = 'failure' AND e.resolved_at IS NULL AND rt.binding_id = e.binding_id
             AND (NOT rt.active OR rt.last_status IN ('success', 'partial') AND rt.last_run_at > e.opened_at)
             AND NOT EXISTS (SELECT FROM kpi_run_notice n WHERE n.binding_id = e.binding_id AND n.kind = 'failure')
          RETURNING e.episode_id, e.binding_id, e.tenant_id, e.resolved_at, e.resolution, e.run_id
        ), told AS (
          INSERT INTO kpi_alert_message (tenant_id, binding_id, episode_id, event, channel_type, channel_value, severity, run_id, occurred_at)
          SELECT v.tenant_id, v.binding_id, v.episode_id, 'recovered', a.channel_type, a.channel_value, a.severity, v.run_id, v.resolved_at
            FROM r v CROSS JOIN LATERAL {EndRoutes} a
           WHERE v.resolution = 'recovered'
             AND EXISTS (SELECT FROM kpi_alert_message m WHERE m.episode_id = v.episode_id AND m.channel_value = a.channel_value AND m.state <> 'dropped')
        )
        SELECT count(*)::int FROM r
        """;

    /// <returns>How many jobs succeed again.</returns>
    public async Task<int> RecoverAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return await connection.QuerySingleAsync<int>(new CommandDefinition(RecoverSql, cancellationToken: token));
    }
}
