using Dapper;
using KpiControl.Control.Alerts;
using KpiControl.Control.Database;

namespace KpiControl.Control.Drift;

/// <summary>Since when jobs are not as their stores have them, and what is told of that: an episode for each, with messages in the outbox.</summary>
internal sealed class DriftAlertStore(Databases databases)
{
    private const string PlanForMany = "SET LOCAL enable_nestloop = off";

    private const string Note = $"""
        WITH seen AS ({DriftStore.Compared} WHERE f.store = @store AND f.binding_id IS NOT NULL)
        UPDATE kpi_source_ref r SET fault = x.fault, fault_since = CASE WHEN x.fault IS NULL THEN NULL ELSE COALESCE(r.fault_since, now()) END
          FROM (SELECT o.binding_id, CASE WHEN s.state IN ('drifted', 'missing', 'invalid', 'unreadable') THEN s.state END AS fault
                  FROM kpi_source_ref o LEFT JOIN seen s USING (binding_id) WHERE o.store = @store) x
         WHERE r.binding_id = x.binding_id AND r.fault IS DISTINCT FROM x.fault
        """;

    /// <summary>After a pass, whether it went well or not.</summary>
    public async Task NoteAsync(string store, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.ExecuteAsync(new CommandDefinition(PlanForMany, transaction: transaction, cancellationToken: token));
        await connection.ExecuteAsync(new CommandDefinition(Note, new { store }, transaction, cancellationToken: token));
        await transaction.CommitAsync(token);
    }

    // No pass is made over a store that the settings have no more, and so none says it.
    private const string NoteUnconfigured = """
        UPDATE kpi_source_ref r SET fault = 'unreadable', fault_since = COALESCE(r.fault_since, now()) FROM kpi_store s, kpi_job_binding b
         WHERE NOT s.configured AND r.store = s.store AND b.binding_id = r.binding_id AND b.pruned_at IS NULL AND r.fault IS DISTINCT FROM 'unreadable'
        """;

    private const string ForgetTakenAway = """
        UPDATE kpi_source_ref r SET fault = NULL, fault_since = NULL FROM kpi_store s, kpi_job_binding b
         WHERE NOT s.configured AND r.store = s.store AND b.binding_id = r.binding_id AND b.pruned_at IS NOT NULL AND r.fault IS NOT NULL
        """;

    /// <summary>Jobs whose store is configured no more.</summary>
    public async Task NoteUnconfiguredAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        foreach (var statement in new[] { NoteUnconfigured, ForgetTakenAway })
            await connection.ExecuteAsync(new CommandDefinition(statement, cancellationToken: token));
    }

    private const string Untold = """
        SELECT r.binding_id FROM kpi_source_ref r
         WHERE r.fault IS NOT NULL AND r.fault_since <= now() - @after::interval AND NOT EXISTS (SELECT FROM kpi_sla_episode e WHERE e.binding_id = r.binding_id AND e.clock = 'drift' AND e.resolved_at IS NULL)
         ORDER BY r.binding_id LIMIT 500
        """;

    // Told to whom failures are told, at the lowest severity: nothing has stopped.
    private const string Open = """
        WITH opened AS (
          INSERT INTO kpi_sla_episode (tenant_id, binding_id, clock, opened_at, detail)
          SELECT r.tenant_id, r.binding_id, 'drift', r.fault_since, x.detail
            FROM unnest(@bindings::bigint[], @details::text[]) AS x(binding_id, detail) JOIN kpi_source_ref r USING (binding_id) WHERE r.fault IS NOT NULL ORDER BY r.binding_id
          ON CONFLICT (binding_id, clock) WHERE resolved_at IS NULL DO NOTHING
          RETURNING episode_id, tenant_id, binding_id, opened_at
        )
        INSERT INTO kpi_alert_message (tenant_id, binding_id, episode_id, event, channel_type, channel_value, severity, occurred_at)
        SELECT o.tenant_id, o.binding_id, o.episode_id, 'drift', a.channel_type, a.channel_value, 'low', o.opened_at
          FROM opened o JOIN kpi_alert_route a USING (binding_id) WHERE 'failure' = ANY (a.events)
        """;

    /// <summary>Tells of those that have been so for long enough and that nobody was told of.</summary>
    public async Task OpenAsync(TimeSpan after, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        var bindings = (await connection.QueryAsync<long>(new CommandDefinition(Untold, new { after }, cancellationToken: token))).ToArray();
        if (bindings.Length == 0)
            return;
        var rows = (await connection.QueryAsync<DriftRow>(new CommandDefinition(DriftStore.ComparedOf, new { bindings }, cancellationToken: token))).ToList();
        await connection.ExecuteAsync(new CommandDefinition(Open, new
        {
            bindings = rows.Select(row => row.BindingId!.Value).ToArray(), details = rows.Select(row => $"{row.State}: {DriftWords.Of(row)} ({row.Store})").ToArray(),
        }, cancellationToken: token));
    }

    private const string Resolve = $"""
        WITH v AS (
          UPDATE kpi_sla_episode e SET resolved_at = greatest(now(), e.opened_at), resolution = CASE WHEN b.active_flag THEN 'recovered' ELSE 'retired' END
            FROM kpi_job_binding b
           WHERE e.clock = 'drift' AND e.resolved_at IS NULL AND b.binding_id = e.binding_id
             AND NOT EXISTS (SELECT FROM kpi_source_ref r WHERE r.binding_id = e.binding_id AND r.fault IS NOT NULL)
          RETURNING e.episode_id, e.binding_id, e.tenant_id, e.resolved_at, e.resolution
        )
        INSERT INTO kpi_alert_message (tenant_id, binding_id, episode_id, event, channel_type, channel_value, severity, occurred_at)
        SELECT v.tenant_id, v.binding_id, v.episode_id, 'recovered', a.channel_type, a.channel_value, 'low', v.resolved_at
          FROM v CROSS JOIN LATERAL {RunNoticeStore.EndRoutes} a
         WHERE v.resolution = 'recovered'
           AND EXISTS (SELECT FROM kpi_alert_message m WHERE m.episode_id = v.episode_id AND m.channel_value = a.channel_value AND m.state <> 'dropped')
        """;

    /// <summary>Ends what is over, and tells those who heard of it.</summary>
    public async Task ResolveAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await connection.ExecuteAsync(new CommandDefinition(Resolve, cancellationToken: token));
    }
}
