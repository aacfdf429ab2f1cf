using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Alerts;

/// <summary>The outbox: what is held back, dropped, sent together, claimed, and how it ended.</summary>
internal sealed class MessageStore(Databases databases)
{
    // A message that was grouped is on its way; before that, a pause holds it and a silence drops it. One that outlived a pause
    // and is about nothing any more is dropped, and its recovery with it.
    private const string SettleSql =
        """
        UPDATE kpi_alert_message m SET state = x.state, reason = CASE WHEN x.state = 'dropped' THEN x.why END,
               held_since = coalesce(m.held_since, CASE WHEN x.state = 'held' THEN now() END), next_at = CASE WHEN x.state = 'held' THEN now() + interval '5 seconds' ELSE m.next_at END
          FROM (
            SELECT m.message_id, w.why, CASE w.why WHEN 'paused' THEN 'held' WHEN 'none' THEN 'pending' ELSE 'dropped' END AS state
              FROM kpi_alert_message m JOIN kpi_job_runtime rt USING (binding_id) LEFT JOIN kpi_sla_episode e USING (episode_id)
              CROSS JOIN LATERAL (SELECT CASE WHEN e.silenced_until > now() THEN 'silenced'
                WHEN m.event = 'failure' AND e.acknowledged_at < m.created_at THEN 'acknowledged'
                WHEN rt.paused_until > now() THEN 'paused'
                WHEN m.state = 'held' AND e.resolved_at IS NOT NULL THEN 'over before the pause was' ELSE 'none' END AS why) w
             WHERE m.state IN ('pending', 'held') AND m.group_id IS NULL AND m.next_at <= now()
             ORDER BY m.next_at LIMIT 1000
          ) x
         WHERE m.message_id = x.message_id AND m.state IN ('pending', 'held') AND m.group_id IS NULL AND (x.state <> m.state OR x.state = 'held')
        """;

    // Mail and chat take many as one; whoever counts incidents by a key of ours gets one each.
    private const string GroupSql =
        """
        UPDATE kpi_alert_message m SET group_id = g.group_id
          FROM (
            SELECT message_id, CASE WHEN channel_type IN ('email', 'slack') THEN min(message_id) OVER (PARTITION BY tenant_id, channel_value) ELSE message_id END AS group_id
              FROM (SELECT message_id, channel_type, tenant_id, channel_value FROM kpi_alert_message
                     WHERE state = 'pending' AND group_id IS NULL AND next_at <= now() ORDER BY message_id LIMIT 500 FOR UPDATE SKIP LOCKED) due
          ) g
         WHERE m.message_id = g.message_id AND m.group_id IS NULL
        """;

    /// <summary>Holds back and drops what is to be, and groups the rest.</summary>
    /// <remarks>One transaction and so one now(): a message that became due between the two would be sent though a silence covers it (seen).</remarks>
    public async Task PrepareAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.ExecuteAsync(new CommandDefinition(SettleSql, transaction: transaction, cancellationToken: token));
        await connection.ExecuteAsync(new CommandDefinition(GroupSql, transaction: transaction, cancellationToken: token));
        await transaction.CommitAsync(token);
    }

    // The claim is a lease in the rows: a node that dies with it leaves them to be claimed again.
    private const string ClaimSql =
        """
        WITH first AS (
          SELECT message_id FROM kpi_alert_message WHERE state = 'pending' AND group_id = message_id AND next_at <= now() ORDER BY next_at LIMIT 20 FOR UPDATE SKIP LOCKED
        )
        UPDATE kpi_alert_message m SET tries = m.tries + 1, next_at = now() + @claimedFor::interval FROM first WHERE m.group_id = first.message_id AND m.state = 'pending'
        RETURNING m.message_id
        """;

    public async Task<long[]> ClaimAsync(TimeSpan claimedFor, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return [.. await connection.QueryAsync<long>(new CommandDefinition(ClaimSql, new { claimedFor }, cancellationToken: token))];
    }

    private const string FactsSql =
        """
        SELECT m.message_id, m.group_id, m.tries, m.created_at, m.tenant_id, b.environment, b.job_id, m.binding_id, b.kpi_id, b.contract_version, m.event, m.channel_type, m.channel_value,
               m.severity, m.occurred_at, m.held_since, m.episode_id, e.clock, e.detail, e.opened_at, e.breached_at, e.needs, coalesce(e.run_count, 0) AS run_count,
               m.run_id, h.status, h.reason, h.error_code, h.error_message, h.scheduled_for, h.business_date, d.content_hash AS definition_hash, r.contract_digest, s.build,
               l.run_id AS last_run_id, l.recorded_at AS last_recorded_at, ld.content_hash AS last_definition_hash, lr.contract_digest AS last_contract_digest, ls.build AS last_build
          FROM kpi_alert_message m
          JOIN kpi_job_binding b USING (binding_id) JOIN kpi_job_def d ON d.def_id = b.def_id
          JOIN kpi_binding_revision r ON r.binding_id = b.binding_id AND r.revision = b.revision
          LEFT JOIN kpi_sla_episode e USING (episode_id)
          LEFT JOIN LATERAL (SELECT * FROM kpi_job_history h WHERE h.run_id = m.run_id AND h.binding_id = m.binding_id ORDER BY h.recorded_at DESC LIMIT 1) h ON true
          LEFT JOIN kpi_session s ON s.session_id = h.session_id
          LEFT JOIN LATERAL (SELECT * FROM kpi_job_history l WHERE l.binding_id = m.binding_id AND l.recorded_at < m.occurred_at AND l.final AND l.status IN ('success', 'partial')
                              ORDER BY l.recorded_at DESC LIMIT 1) l ON true
          LEFT JOIN kpi_binding_revision lr ON lr.binding_id = m.binding_id AND lr.revision = l.revision LEFT JOIN kpi_job_def ld ON ld.def_id = lr.def_id
          LEFT JOIN kpi_session ls ON ls.session_id = l.session_id
         WHERE m.message_id = ANY (@ids) ORDER BY m.message_id
        """;

    public async Task<IReadOnlyList<AlertFacts>> FactsAsync(long[] ids, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<AlertFacts>(new CommandDefinition(FactsSql, new { ids }, cancellationToken: token))).AsList();
    }

    private const string EndSql =
        """
        UPDATE kpi_alert_message SET state = CASE WHEN @error::text IS NULL THEN 'sent' WHEN @retryAfter::interval IS NULL THEN 'dead' ELSE 'pending' END,
               sent_at = CASE WHEN @error::text IS NULL THEN now() END, last_error = left(@error, 500), next_at = now() + coalesce(@retryAfter::interval, '0')
         WHERE group_id = @groupId AND tries = @tries AND state = 'pending'
        """;

    /// <param name="error">Null: it was taken.</param>
    /// <param name="retryAfter">Null with an error: nobody tries again by himself.</param>
    public Task EndAsync(long groupId, int tries, string? error, TimeSpan? retryAfter, CancellationToken token) =>
        ExecuteAsync(EndSql, new { groupId, tries, error, retryAfter }, token);

    private const string ForgetSql =
        """
        DELETE FROM kpi_alert_message WHERE message_id IN (
          SELECT message_id FROM kpi_alert_message WHERE state IN ('sent', 'dropped') AND created_at < now() - @keptFor::interval ORDER BY message_id LIMIT 5000)
        """;

    public Task ForgetAsync(TimeSpan keptFor, CancellationToken token) => ExecuteAsync(ForgetSql, new { keptFor }, token);

    private async Task ExecuteAsync(string sql, object? parameters, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await connection.ExecuteAsync(new CommandDefinition(sql, parameters, cancellationToken: token));
    }
}
