using System.Text.Json;
using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Leases;

/// <summary>Which ready occurrences some agent could take, wherever its stream is, and what is shown of the others.</summary>
internal sealed class RouteStore(Databases databases)
{
    public const int PageSize = 1000;

    private const string PageSql =
        """
        SELECT k.binding_id, rt.revision, rt.occ_scheduled_for AS scheduled_for, rt.occ_kind AS kind, rt.occ_reason AS reason
          FROM kpi_parked k JOIN kpi_job_runtime rt USING (binding_id)
         WHERE k.binding_id > @after AND k.state = 'R' AND k.ready_at <= now() - @since::interval AND rt.occ_state = 'R' AND rt.lane > 0 AND rt.attempt_id IS NULL
         ORDER BY k.binding_id LIMIT @limit
        """;

    /// <summary>Ready for so long, in order of their bindings. One whose lease came back keeps that for its reason: its next grant tells of it.</summary>
    public async Task<IReadOnlyList<RoutedRow>> PageAsync(long after, TimeSpan since, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<RoutedRow>(new CommandDefinition(PageSql, new { after, since, limit = PageSize }, cancellationToken: token))).AsList();
    }

    private const string AgentsSql =
        """
        SELECT s.region, s.connections::text AS connections, s.connection_stages::text AS stages, s.labels::text AS labels, ARRAY(SELECT t.tenant_id FROM kpi_session_tenant t WHERE t.session_id = s.session_id) AS tenants
          FROM kpi_session s JOIN kpi_node n USING (node_id) WHERE s.ended_at IS NULL AND s.drained_at IS NULL AND n.expires_at > now()
        """;

    public async Task<IReadOnlyList<ConnectedAgent>> AgentsAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        return (await connection.QueryAsync<(string Region, string Connections, string Stages, string Labels, string[] Tenants)>(new CommandDefinition(AgentsSql, cancellationToken: token)))
            .Select(s => new ConnectedAgent(s.Region, s.Tenants, new AgentOffer(Pairs(s.Connections), Pairs(s.Labels), Pairs(s.Stages)))).ToList();
    }

    // A triggered one has no successor before which it must give up: it does when no agent came for long. The deadline of one that
    // an agent can take after all is its own again. Whoever leases or ends one meanwhile leaves no row here.
    private const string ShowSql =
        """
        WITH x AS (
          SELECT * FROM unnest(@ids, @slots, @reasons, @ownDeadlines) AS x(binding_id, slot, reason, own_deadline)
        ), u AS (
          UPDATE kpi_job_runtime rt SET occ_reason = x.reason,
            occ_deadline = CASE WHEN rt.occ_kind = 0 OR rt.retry_count > 0 THEN rt.occ_deadline WHEN x.reason = 3 THEN coalesce(x.own_deadline, now() + @givesUpAfter::interval) ELSE x.own_deadline END
            FROM x
           WHERE rt.binding_id = x.binding_id AND rt.occ_state = 'R' AND rt.occ_scheduled_for = x.slot AND rt.attempt_id IS NULL AND rt.occ_reason IS DISTINCT FROM x.reason
          RETURNING rt.binding_id, rt.occ_deadline
        ), listed AS (
          UPDATE kpi_parked k SET deadline = u.occ_deadline FROM u WHERE k.binding_id = u.binding_id AND k.deadline IS DISTINCT FROM u.occ_deadline
        )
        SELECT count(*)::int FROM u
        """;

    /// <summary>Writes what changed; the changes must be in order of their bindings.</summary>
    /// <returns>How many did.</returns>
    public async Task<int> ShowAsync(IReadOnlyList<RouteChange> changes, TimeSpan givesUpAfter, CancellationToken token)
    {
        await using var connection = await databases.Hot.OpenConnectionAsync(token);
        return await connection.QuerySingleAsync<int>(new CommandDefinition(ShowSql, new
        {
            ids = changes.Select(c => c.Row.BindingId).ToArray(), slots = changes.Select(c => c.Row.ScheduledFor.UtcDateTime).ToArray(),
            reasons = changes.Select(c => (short)c.Reason).ToArray(), ownDeadlines = changes.Select(c => c.OwnDeadline?.UtcDateTime).ToArray(), givesUpAfter,
        }, cancellationToken: token));
    }

    private static Dictionary<string, string> Pairs(string json) => JsonSerializer.Deserialize<Dictionary<string, string>>(json) ?? [];
}

/// <summary>A ready occurrence that nobody has taken yet.</summary>
internal sealed record RoutedRow
{
    public long BindingId { get; init; }
    public int Revision { get; init; }
    public DateTimeOffset ScheduledFor { get; init; }
    public short Kind { get; init; }
    public short? Reason { get; init; }
}

/// <summary>A live session, on whichever node.</summary>
internal sealed record ConnectedAgent(string Region, IReadOnlyList<string> Tenants, AgentOffer Offer)
{
    public bool CanRun(BindingPlan plan) => Region == plan.Region && Tenants.Contains(plan.Tenant) && plan.Needs.AreMetBy(Offer);
}

/// <param name="OwnDeadline">Of a triggered one: when it gives up though agents could take it; null: it does not.</param>
internal sealed record RouteChange(RoutedRow Row, BindingPlan Plan, WaitingFor Reason, DateTimeOffset? OwnDeadline);
