using KpiControl.Control.Requests;

namespace KpiControl.Control.Alerts;

internal sealed record EpisodeRow
{
    public long EpisodeId { get; init; }
    public long BindingId { get; init; }
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public required string JobId { get; init; }
    public required string KpiId { get; init; }
    public required string ContractVersion { get; init; }
    public string? Criticality { get; init; }
    public required string Clock { get; init; }
    public DateTimeOffset OpenedAt { get; init; }
    public DateTimeOffset RecordedAt { get; init; }
    public DateTimeOffset? BreachedAt { get; init; }
    public DateTimeOffset? BreachRecordedAt { get; init; }
    public DateTimeOffset? Needs { get; init; }
    public long? RunId { get; init; }
    public DateTimeOffset? AcknowledgedAt { get; init; }
    public string? AcknowledgedBy { get; init; }
    public string? AcknowledgeReason { get; init; }
    public DateTimeOffset? SilencedUntil { get; init; }
    public string? SilencedBy { get; init; }
    public string? SilenceReason { get; init; }
    public DateTimeOffset? ResolvedAt { get; init; }
    public string? Resolution { get; init; }
    public string? Detail { get; init; }
}

/// <summary>Episodes, as people see them and what they say of them.</summary>
internal static class EpisodeStore
{
    private const string Select = """
        SELECT e.episode_id, e.binding_id, e.tenant_id, b.environment, b.job_id, b.kpi_id, b.contract_version, d.canonical_json::jsonb ->> 'criticality' AS criticality,
               e.clock, e.opened_at, e.recorded_at, e.breached_at, e.breach_recorded_at, e.needs, e.run_id, e.acknowledged_at, e.acknowledged_by, e.acknowledge_reason,
               e.silenced_until, e.silenced_by, e.silence_reason, e.resolved_at, e.resolution, e.detail
          FROM kpi_sla_episode e JOIN kpi_job_binding b USING (binding_id) JOIN kpi_job_def d USING (def_id)
        """;

    private const string Find = Select + " WHERE e.episode_id = @episodeId AND (@tenants::text[] IS NULL OR e.tenant_id = ANY (@tenants))";

    public static Task<EpisodeRow?> FindAsync(RequestTransaction tx, long episodeId) => tx.FindAsync<EpisodeRow>(Find, new { episodeId, tenants = tx.Tenants });

    private const string Page = Select + """
         WHERE EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant, environment)
                        WHERE g.tenant IN ('*', b.tenant_id) AND g.environment IN ('*', b.environment))
           AND (@tenant::text = '' OR e.tenant_id = @tenant) AND (@environment::text = '' OR b.environment = @environment)
           AND (@binding::bigint = 0 OR e.binding_id = @binding) AND (@clock::text = '' OR e.clock = @clock)
           AND (@resolved OR e.resolved_at IS NULL) AND e.episode_id < @before
         ORDER BY e.episode_id DESC LIMIT @limit
        """;

    public static Task<IReadOnlyList<EpisodeRow>> PageAsync(RequestTransaction tx, object parameters) => tx.QueryAsync<EpisodeRow>(Page, parameters);

    private const string Acknowledge = """
        UPDATE kpi_sla_episode SET acknowledged_at = now(), acknowledged_by = @by, acknowledge_reason = @reason
         WHERE episode_id = @episodeId AND resolved_at IS NULL AND acknowledged_at IS NULL
        """;

    public static async Task<bool> AcknowledgeAsync(RequestTransaction tx, long episodeId, string reason) =>
        await tx.ExecuteAsync(Acknowledge, new { episodeId, by = tx.Caller.Principal, reason }) == 1;

    private const string Silence = """
        UPDATE kpi_sla_episode SET silenced_until = @until, silenced_by = @by, silence_reason = @reason
         WHERE episode_id = @episodeId AND resolved_at IS NULL AND @until::timestamptz > now()
        """;

    /// <returns>False where it has ended, or the instant has passed.</returns>
    public static async Task<bool> SilenceAsync(RequestTransaction tx, long episodeId, DateTimeOffset until, string reason) =>
        await tx.ExecuteAsync(Silence, new { episodeId, until, by = tx.Caller.Principal, reason }) == 1;

    private const string Unsilence = """
        UPDATE kpi_sla_episode SET silenced_until = NULL, silenced_by = NULL, silence_reason = NULL WHERE episode_id = @episodeId AND silenced_until > now()
        """;

    /// <returns>False where it is not silenced.</returns>
    public static async Task<bool> UnsilenceAsync(RequestTransaction tx, long episodeId) => await tx.ExecuteAsync(Unsilence, new { episodeId }) == 1;
}
