using KpiControl.Control.Requests;

namespace KpiControl.Control.Alerts;

internal sealed record DeadAlertRow
{
    public long MessageId { get; init; }
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public required string JobId { get; init; }
    public long BindingId { get; init; }
    public long? EpisodeId { get; init; }
    public required string Event { get; init; }
    public required string ChannelValue { get; init; }
    public required string State { get; init; }
    public int Tries { get; init; }
    public string? LastError { get; init; }
    public DateTimeOffset OccurredAt { get; init; }
}

/// <summary>Messages that nobody tries to send any more, until somebody says so.</summary>
internal static class DeadAlertStore
{
    private const string Select = """
        SELECT m.message_id, m.tenant_id, b.environment, b.job_id, m.binding_id, m.episode_id, m.event, m.channel_value, m.state, m.tries, m.last_error, m.occurred_at
          FROM kpi_alert_message m JOIN kpi_job_binding b USING (binding_id)
        """;

    private const string Page = Select + """
         WHERE m.state = 'dead' AND m.message_id > @after
           AND EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant, environment)
                        WHERE g.tenant IN ('*', b.tenant_id) AND g.environment IN ('*', b.environment))
           AND (@tenant::text = '' OR m.tenant_id = @tenant) AND (@environment::text = '' OR b.environment = @environment)
         ORDER BY m.message_id LIMIT @limit
        """;

    public static Task<IReadOnlyList<DeadAlertRow>> PageAsync(RequestTransaction tx, object parameters) => tx.QueryAsync<DeadAlertRow>(Page, parameters);

    private const string Find = Select + " WHERE m.message_id = @messageId AND (@tenants::text[] IS NULL OR m.tenant_id = ANY (@tenants))";

    public static Task<DeadAlertRow?> FindAsync(RequestTransaction tx, long messageId) => tx.FindAsync<DeadAlertRow>(Find, new { messageId, tenants = tx.Tenants });

    // On its own from now on: what it was grouped with may stay dead.
    private const string Resend = """
        UPDATE kpi_alert_message SET state = 'pending', tries = 0, next_at = now(), group_id = message_id WHERE message_id = @messageId AND state = 'dead'
        """;

    public static async Task<bool> ResendAsync(RequestTransaction tx, long messageId) => await tx.ExecuteAsync(Resend, new { messageId }) == 1;
}
