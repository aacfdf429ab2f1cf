using KpiControl.Control.Requests;

namespace KpiControl.Control.Catalog;

/// <summary>A contract version as stored.</summary>
internal sealed record ContractRow
{
    public required string TenantId { get; init; }
    public required string KpiId { get; init; }
    public required string Version { get; init; }
    public required string ContractId { get; init; }
    public required string Digest { get; init; }
    public required string Format { get; init; }
    public required string Content { get; init; }
    public required string CanonicalJson { get; init; }
    public required string Status { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public string CreatedBy { get; init; } = "";
}

internal static class ContractStore
{
    private const string Insert = """
        INSERT INTO kpi_contract (tenant_id, kpi_id, version, contract_id, digest, format, content, canonical_json, status, created_by)
        VALUES (@TenantId, @KpiId, @Version, @ContractId, @Digest, @Format, @Content, @CanonicalJson, @Status, @CreatedBy)
        ON CONFLICT (tenant_id, kpi_id, version) DO NOTHING
        """;

    /// <returns>False where the version exists.</returns>
    public static async Task<bool> InsertAsync(RequestTransaction tx, ContractRow row) => await tx.ExecuteAsync(Insert, row) == 1;

    private const string Columns = "tenant_id, kpi_id, version, contract_id, digest, format, content, canonical_json, status, created_at, created_by";

    private const string KnownSql = """
        SELECT DISTINCT kpi_id FROM kpi_contract WHERE tenant_id = @tenant AND kpi_id = ANY (@kpiIds)
        """;

    /// <summary>Those of which there is any version.</summary>
    public static Task<IReadOnlyList<string>> KnownAsync(RequestTransaction tx, string tenant, string[] kpiIds) => tx.QueryAsync<string>(KnownSql, new { tenant, kpiIds });

    private const string OfSql = $"""
        SELECT {Columns} FROM kpi_contract WHERE tenant_id = @tenant AND (kpi_id, version) IN (SELECT * FROM unnest(@kpis::text[], @versions::text[]))
        """;

    public static Task<IReadOnlyList<ContractRow>> OfAsync(RequestTransaction tx, string tenant, IReadOnlyCollection<Jobs.Artifacts.KpiReference> kpis) =>
        tx.QueryAsync<ContractRow>(OfSql, new { tenant, kpis = kpis.Select(kpi => kpi.KpiId).ToArray(), versions = kpis.Select(kpi => kpi.ContractVersion).ToArray() });

    private const string Find = $"""
        SELECT {Columns} FROM kpi_contract WHERE tenant_id = @tenant AND kpi_id = @kpiId AND version = @version
        """;

    public static Task<ContractRow?> FindAsync(RequestTransaction tx, string tenant, string kpiId, string version) =>
        tx.FindAsync<ContractRow>(Find, new { tenant, kpiId, version });

    private const string List = $"""
        SELECT {Columns} FROM kpi_contract
         WHERE (@tenants::text[] IS NULL OR tenant_id = ANY (@tenants)) AND (@kpiId::text = '' OR kpi_id = @kpiId)
           AND (tenant_id, kpi_id, version) > (@afterTenant::text, @afterKpi::text, @afterVersion::text)
         ORDER BY tenant_id, kpi_id, version LIMIT @limit
        """;

    /// <param name="after">Tenant, KPI and version of the last one before the page; null on the first.</param>
    public static Task<IReadOnlyList<ContractRow>> ListAsync(RequestTransaction tx, string[]? tenants, string kpiId, string[]? after, int limit) =>
        tx.QueryAsync<ContractRow>(List, new
        {
            tenants, kpiId, limit, afterTenant = after?[0] ?? "", afterKpi = after?[1] ?? "", afterVersion = after?[2] ?? "",
        });

    private const string Move = """
        UPDATE kpi_contract SET status = @to WHERE tenant_id = @tenant AND kpi_id = @kpiId AND version = @version AND status = @from
        """;

    /// <returns>False where the status is no longer <paramref name="from"/>.</returns>
    public static async Task<bool> MoveAsync(RequestTransaction tx, ContractRow row, string from, string to) =>
        await tx.ExecuteAsync(Move, new { tenant = row.TenantId, kpiId = row.KpiId, version = row.Version, from, to }) == 1;
}
