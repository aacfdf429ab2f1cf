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
        SELECT now() AS seen_at, k.binding_id, rt.revision, rt.occ_scheduled_for AS scheduled_for, rt.occ_kind AS kind, rt.occ_reason AS reason, rt.occ_deadline AS deadline, rt.fence_n AS fence,
               rt.attempt_id AS lost_attempt, rt.attempt_id IS NOT NULL OR rt.retry_count > 0 AS was_tried
          FROM kpi_parked k JOIN kpi_job_runtime rt USING (binding_id)
         WHERE k.binding_id > @after AND k.state = 'R' AND k.ready_at <= now() - @since::interval AND rt.occ_state = 'R' AND rt.lane > 0
         ORDER BY k.binding_id LIMIT @limit
        """;

    /// <summary>Ready for so long, in order of their bindings.</summary>
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

    // Whoever leases, retries or ends one meanwhile leaves no row here.
    private const string ShowSql =
        """
        WITH x AS (
          SELECT * FROM unnest(@ids, @slots, @fences, @lost, @reasons, @deadlines) AS x(binding_id, slot, fence, lost_attempt, reason, deadline)
        ), u AS (
          UPDATE kpi_job_runtime rt SET occ_reason = x.reason, occ_deadline = x.deadline FROM x
           WHERE rt.binding_id = x.binding_id AND rt.occ_state = 'R' AND rt.occ_scheduled_for = x.slot AND rt.fence_n = x.fence AND rt.attempt_id IS NOT DISTINCT FROM x.lost_attempt
             AND (rt.occ_reason IS DISTINCT FROM x.reason OR rt.occ_deadline IS DISTINCT FROM x.deadline)
          RETURNING rt.binding_id, rt.occ_deadline
        ), listed AS (
          UPDATE kpi_parked k SET deadline = u.occ_deadline FROM u WHERE k.binding_id = u.binding_id AND k.deadline IS DISTINCT FROM u.occ_deadline
        )
        SELECT count(*)::int FROM u
        """;

    /// <summary>Writes what changed; the changes must be in order of their bindings.</summary>
    /// <returns>How many did.</returns>
    public async Task<int> ShowAsync(IReadOnlyList<RouteChange> changes, CancellationToken token)
    {
        await using var connection = await databases.Hot.OpenConnectionAsync(token);
        return await connection.QuerySingleAsync<int>(new CommandDefinition(ShowSql, new
        {
            ids = changes.Select(c => c.Row.BindingId).ToArray(), slots = changes.Select(c => c.Row.ScheduledFor.UtcDateTime).ToArray(), fences = changes.Select(c => c.Row.Fence).ToArray(),
            lost = changes.Select(c => c.Row.LostAttempt).ToArray(), reasons = changes.Select(c => (short?)c.Reason).ToArray(), deadlines = changes.Select(c => c.Deadline?.UtcDateTime).ToArray(),
        }, cancellationToken: token));
    }

    private static Dictionary<string, string> Pairs(string json) => JsonSerializer.Deserialize<Dictionary<string, string>>(json) ?? [];
}

/// <summary>A ready occurrence that nobody has taken yet, as the database saw it at its instant <see cref="SeenAt"/>.</summary>
internal sealed record RoutedRow
{
    public DateTimeOffset SeenAt { get; init; }
    public long BindingId { get; init; }
    public int Revision { get; init; }
    public DateTimeOffset ScheduledFor { get; init; }
    public OccurrenceKind Kind { get; init; }
    public WaitingFor? Reason { get; init; }
    public DateTimeOffset? Deadline { get; init; }
    public long Fence { get; init; }
    public Guid? LostAttempt { get; init; }
    /// <summary>It is between attempts: its lease came back, or it is tried again.</summary>
    public bool WasTried { get; init; }
}

/// <summary>A live session, on whichever node.</summary>
internal sealed record ConnectedAgent(string Region, IReadOnlyList<string> Tenants, AgentOffer Offer)
{
    public bool CanRun(BindingPlan plan) => Region == plan.Region && Tenants.Contains(plan.Tenant) && plan.Needs.AreMetBy(Offer);
}

internal sealed record RouteChange(RoutedRow Row, BindingPlan Plan, WaitingFor? Reason, DateTimeOffset? Deadline);
