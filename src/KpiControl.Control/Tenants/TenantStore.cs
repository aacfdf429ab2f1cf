using Dapper;
using KpiControl.Control.Audit;
using KpiControl.Control.Database;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Tenants;

/// <summary>Where a tenant's jobs may run in an environment, and on what conditions.</summary>
internal sealed record TenantPlacement
{
    public string? HomeRegion { get; init; }
    public required string[] Regions { get; init; }
    public bool RequiresApproval { get; init; }
    public bool RequiresOwners { get; init; }
    public bool RequiresSla { get; init; }
    public bool RequiresAlerts { get; init; }
    public int PolicyVersion { get; init; }
    /// <summary>JSON; null: none.</summary>
    public string? ReleaseWindows { get; init; }
    /// <summary>JSON; null: none.</summary>
    public string? Freezes { get; init; }
}

internal sealed class TenantStore(Databases databases)
{
    private const string Serialize = """
        SELECT pg_advisory_xact_lock(hashtext('kpi_tenants'))
        """;

    private const string UpsertTenant = """
        INSERT INTO kpi_tenant (tenant_id, home_region, weight, configured) VALUES (@tenant, @home, @weight, @configured)
        ON CONFLICT (tenant_id) DO UPDATE SET home_region = excluded.home_region, weight = excluded.weight, configured = excluded.configured, revision = kpi_tenant.revision + 1
          WHERE kpi_tenant.configured IS DISTINCT FROM excluded.configured
        """;

    private const string AddRegions = """
        INSERT INTO kpi_tenant_region (tenant_id, region) SELECT @tenant, unnest(@regions::text[]) ON CONFLICT DO NOTHING
        """;

    // A region that still has jobs stays allowed: their rows refer to it.
    private const string RemoveRegions = """
        DELETE FROM kpi_tenant_region r WHERE r.tenant_id = @tenant AND r.region <> ALL (@regions)
          AND NOT EXISTS (SELECT FROM kpi_job_binding b WHERE b.tenant_id = r.tenant_id AND b.region = r.region)
        """;

    // Windows and freezes are not configured here: another region must not end a freeze.
    private const string AddPolicy = """
        WITH latest AS (SELECT l.version, l.document FROM kpi_tenant_policy l
                         WHERE l.tenant_id = @tenant AND l.environment = @environment ORDER BY l.version DESC LIMIT 1),
             next AS (SELECT @document::jsonb || COALESCE((SELECT jsonb_strip_nulls(jsonb_build_object(
                        'release_windows', document -> 'release_windows', 'freezes', document -> 'freezes', 'break_glass_seconds', document -> 'break_glass_seconds')) FROM latest), '{}') AS document)
        INSERT INTO kpi_tenant_policy (tenant_id, environment, version, document)
        SELECT @tenant, @environment, COALESCE(latest.version, 0) + 1, next.document FROM next LEFT JOIN latest ON true
         WHERE (@isNamed OR latest.version IS NULL) AND next.document IS DISTINCT FROM latest.document
        """;

    /// <summary>All of them or none, one node at a time; of each only what the configuration has not said before.</summary>
    public async Task PutAsync(IReadOnlyList<TenantSettings> tenants, CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        Task<int> Run(string sql, object? parameters = null) => connection.ExecuteAsync(new CommandDefinition(sql, parameters, transaction, cancellationToken: token));
        await Run(Serialize);
        foreach (var tenant in tenants)
        {
            var regions = tenant.AllRegions.ToArray();
            if (await Run(UpsertTenant, new { tenant = tenant.Id, home = tenant.HomeRegion is { Length: > 0 } home ? home : null, weight = tenant.Weight, configured = tenant.Digest() }) == 0)
                continue;
            await Run(AddRegions, new { tenant = tenant.Id, regions });
            await Run(RemoveRegions, new { tenant = tenant.Id, regions });
            foreach (var (environment, isNamed, document) in tenant.PolicyDocuments())
                await Run(AddPolicy, new { tenant = tenant.Id, environment, isNamed, document = AuditEntry.Json(document) });
        }
        await transaction.CommitAsync(token);
    }

    // Without a policy of its own an environment has the defaults.
    private const string Placement = $"""
        SELECT t.home_region, p.version AS policy_version,
               ARRAY(SELECT r.region FROM kpi_tenant_region r WHERE r.tenant_id = t.tenant_id ORDER BY r.region) AS regions,
               {PolicyStore.Filled}
          FROM kpi_tenant t CROSS JOIN (SELECT @environment::text AS environment) e LEFT JOIN LATERAL (
            SELECT version, document FROM kpi_tenant_policy
             WHERE tenant_id = t.tenant_id AND environment = e.environment ORDER BY version DESC LIMIT 1) p ON true
         WHERE t.tenant_id = @tenant
        """;

    /// <summary>Null where there is no such tenant.</summary>
    public static Task<TenantPlacement?> PlacementAsync(RequestTransaction tx, string tenant, string environment) =>
        tx.FindAsync<TenantPlacement>(Placement, new { tenant, environment });
}
