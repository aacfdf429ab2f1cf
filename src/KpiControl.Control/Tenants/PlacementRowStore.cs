using System.Globalization;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Tenants;

internal sealed record PlacementRow
{
    public string TenantId { get; init; } = "";
    public string? HomeRegion { get; init; }
    public string[] Regions { get; init; } = [];
    public int Weight { get; init; }
    public int Revision { get; init; }
    public DateTimeOffset CreatedAt { get; init; }

    public string Etag => string.Create(CultureInfo.InvariantCulture, $"t{Revision}");
}

/// <summary>Tenants and their regions, as people change them.</summary>
internal static class PlacementRowStore
{
    private const string ListSql = """
        SELECT t.tenant_id, t.home_region, t.weight, t.revision, t.created_at,
               ARRAY(SELECT r.region FROM kpi_tenant_region r WHERE r.tenant_id = t.tenant_id ORDER BY r.region) AS regions
          FROM kpi_tenant t
         WHERE (@tenants::text[] IS NULL OR t.tenant_id = ANY (@tenants)) AND (@after::text IS NULL OR t.tenant_id > @after)
         ORDER BY t.tenant_id LIMIT @limit
        """;

    public static Task<IReadOnlyList<PlacementRow>> ListAsync(RequestTransaction tx, string? after, int limit) =>
        tx.QueryAsync<PlacementRow>(ListSql, new { tenants = tx.Tenants, after, limit });

    /// <summary>Null where there is no such tenant.</summary>
    public static async Task<PlacementRow?> FindAsync(RequestTransaction tx, string tenant) =>
        (await tx.QueryAsync<PlacementRow>(ListSql, new { tenants = new[] { tenant }, after = (string?)null, limit = 1 })).SingleOrDefault();

    // Its home must be allowed by the end of the transaction: AddRegions does.
    private const string CreateSql = """
        INSERT INTO kpi_tenant (tenant_id, home_region, weight) VALUES (@tenant, @home, @weight) ON CONFLICT (tenant_id) DO NOTHING
        """;

    /// <returns>False: there is one of this name.</returns>
    public static async Task<bool> CreateAsync(RequestTransaction tx, string tenant, string? home, int weight) => await tx.ExecuteAsync(CreateSql, new { tenant, home, weight }) == 1;

    private const string HoldSql = """
        UPDATE kpi_tenant SET revision = revision WHERE tenant_id = @tenant
        """;

    /// <summary>What is read of it now is what it was before: nobody else changes it until this transaction ends.</summary>
    public static Task HoldAsync(RequestTransaction tx, string tenant) => tx.ExecuteAsync(HoldSql, new { tenant });

    private const string UpdateSql = """
        UPDATE kpi_tenant SET home_region = @home, weight = @weight WHERE tenant_id = @tenant AND (home_region, weight) IS DISTINCT FROM (@home::text, @weight::int)
        """;

    public static Task UpdateAsync(RequestTransaction tx, string tenant, string? home, int weight) => tx.ExecuteAsync(UpdateSql, new { tenant, home, weight });

    private const string ReviseSql = """
        UPDATE kpi_tenant SET revision = revision + 1 WHERE tenant_id = @tenant
        """;

    public static Task ReviseAsync(RequestTransaction tx, string tenant) => tx.ExecuteAsync(ReviseSql, new { tenant });

    private const string AddSql = """
        INSERT INTO kpi_tenant_region (tenant_id, region) SELECT @tenant, unnest(@regions::text[]) ON CONFLICT DO NOTHING
        """;

    public static Task AddRegionsAsync(RequestTransaction tx, string tenant, string[] regions) => tx.ExecuteAsync(AddSql, new { tenant, regions });

    private const string JobsSql = """
        SELECT count(*)::int FROM kpi_job_binding WHERE tenant_id = @tenant AND region = @region
        """;

    public static Task<int> JobsInAsync(RequestTransaction tx, string tenant, string region) => tx.FindAsync<int>(JobsSql, new { tenant, region });

    // A binding that is made meanwhile holds its region's row: then this waits, and the reference refuses it.
    private const string RemoveSql = """
        DELETE FROM kpi_tenant_region r WHERE r.tenant_id = @tenant AND r.region = ANY (@regions)
          AND NOT EXISTS (SELECT FROM kpi_job_binding b WHERE b.tenant_id = r.tenant_id AND b.region = r.region)
        """;

    public static Task RemoveRegionsAsync(RequestTransaction tx, string tenant, string[] regions) => tx.ExecuteAsync(RemoveSql, new { tenant, regions });
}
