using KpiControl.Control.Requests;
using KpiControl.Control.Security;

namespace KpiControl.Control.Monitoring;

/// <summary>Reads what a load map is made of.</summary>
internal static class LoadStore
{
    private const string JobsSql =
        """
        SELECT b.binding_id, b.tenant_id, b.environment, b.region, b.job_id, b.schedule_cron, b.timezone, b.calendar, b.calendar_version,
               json_build_object('schedule', d.canonical_json::json -> 'schedule')::text AS definition_json, b.overrides::text AS overrides_json,
               CASE WHEN rt.paused_until > now() THEN rt.paused_until END AS paused_until
          FROM kpi_job_binding b JOIN kpi_job_runtime rt USING (binding_id) JOIN kpi_job_def d USING (def_id)
         WHERE b.active_flag AND b.schedule_cron <> ''
           AND EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant_id, environment)
                        WHERE g.tenant_id IN ('*', b.tenant_id) AND g.environment IN ('*', b.environment))
           AND (@tenant::text = '' OR b.tenant_id = @tenant) AND (@environment::text = '' OR b.environment = @environment) AND (@region::text = '' OR b.region = @region)
         ORDER BY b.tenant_id, b.environment, b.region, b.job_id LIMIT @limit
        """;

    public static Task<IReadOnlyList<LoadRow>> JobsAsync(RequestTransaction tx, ReadScope scope, string tenant, string environment, string region, int limit) =>
        tx.QueryAsync<LoadRow>(JobsSql, new { tenants = scope.Tenants, environments = scope.Environments, tenant, environment, region, limit });

    // Each once, however many jobs name it.
    private const string CalendarsSql =
        """
        SELECT k.tenant_id, k.name, k.version, k.canonical_json FROM kpi_calendar k
         WHERE EXISTS (SELECT FROM kpi_job_binding b WHERE b.tenant_id = k.tenant_id AND b.calendar = k.name AND b.calendar_version = k.version AND b.active_flag)
           AND (@tenant::text = '' OR k.tenant_id = @tenant)
        """;

    public static Task<IReadOnlyList<LoadCalendarRow>> CalendarsAsync(RequestTransaction tx, string tenant) => tx.QueryAsync<LoadCalendarRow>(CalendarsSql, new { tenant });
}

internal sealed record LoadRow
{
    public long BindingId { get; init; }
    public string TenantId { get; init; } = "";
    public string Environment { get; init; } = "";
    public string Region { get; init; } = "";
    public string JobId { get; init; } = "";
    public string ScheduleCron { get; init; } = "";
    public string Timezone { get; init; } = "";
    public string? Calendar { get; init; }
    public int? CalendarVersion { get; init; }
    /// <summary>Of the definition, its schedule alone.</summary>
    public string DefinitionJson { get; init; } = "{}";
    public string? OverridesJson { get; init; }
    public DateTimeOffset? PausedUntil { get; init; }
}

internal sealed record LoadCalendarRow
{
    public string TenantId { get; init; } = "";
    public string Name { get; init; } = "";
    public int Version { get; init; }
    public string CanonicalJson { get; init; } = "";
}
