using KpiControl.Control.Requests;

namespace KpiControl.Control.OpenLineage;

internal sealed record DeadEventRow
{
    public long EventId { get; init; }
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public required string JobId { get; init; }
    public long BindingId { get; init; }
    public Guid AttemptId { get; init; }
    public required string EventType { get; init; }
    public DateTimeOffset ScheduledFor { get; init; }
    public required string State { get; init; }
    public int Tries { get; init; }
    public string? LastError { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
}

/// <summary>Lineage events that nobody tries to send any more, until somebody says so.</summary>
internal static class DeadEventStore
{
    private const string Select = """
        SELECT e.event_id, e.tenant_id, b.environment, b.job_id, e.binding_id, e.attempt_id, e.event_type, e.scheduled_for, e.state, e.tries, e.last_error, e.ended_at
          FROM kpi_lineage_event e JOIN kpi_job_binding b USING (binding_id)
        """;

    private const string Asked = """
        e.state = 'dead' AND EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant, environment) WHERE g.tenant IN ('*', b.tenant_id) AND g.environment IN ('*', b.environment))
           AND (@tenant::text = '' OR e.tenant_id = @tenant) AND (@environment::text = '' OR b.environment = @environment)
        """;

    private const string Page = Select + " WHERE e.event_id > @after AND " + Asked + " ORDER BY e.event_id LIMIT @limit";

    public static Task<IReadOnlyList<DeadEventRow>> PageAsync(RequestTransaction tx, object parameters) => tx.QueryAsync<DeadEventRow>(Page, parameters);

    private const string Find = Select + " WHERE e.event_id = @eventId AND (@tenants::text[] IS NULL OR e.tenant_id = ANY (@tenants))";

    public static Task<DeadEventRow?> FindAsync(RequestTransaction tx, long eventId) => tx.FindAsync<DeadEventRow>(Find, new { eventId, tenants = tx.Tenants });

    private const string Again = "state = 'pending', tries = 0, next_at = now(), resent_at = now(), ended_at = NULL";

    private const string ResendOne = $"UPDATE kpi_lineage_event SET {Again} WHERE event_id = @eventId AND state = 'dead'";

    public static async Task<bool> ResendAsync(RequestTransaction tx, long eventId) => await tx.ExecuteAsync(ResendOne, new { eventId }) == 1;

    private const string ResendAll = $"""
        WITH again AS (
          UPDATE kpi_lineage_event e SET {Again} FROM kpi_job_binding b WHERE b.binding_id = e.binding_id AND {Asked} RETURNING e.tenant_id, b.environment
        )
        SELECT tenant_id, environment, count(*)::int AS events FROM again GROUP BY tenant_id, environment ORDER BY tenant_id, environment
        """;

    public static Task<IReadOnlyList<ResentEvents>> ResendAsync(RequestTransaction tx, object asked) => tx.QueryAsync<ResentEvents>(ResendAll, asked);
}

internal sealed record ResentEvents
{
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public int Events { get; init; }
}
