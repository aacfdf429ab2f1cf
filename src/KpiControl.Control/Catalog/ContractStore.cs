using KpiControl.Control.Requests;
using KpiControl.Control.Security;

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
    /// <summary>A word of <see cref="Jobs.Contracts.ContractKind"/>; of a table's contract, <see cref="KpiId"/> is the table.</summary>
    public string ContractType { get; init; } = Jobs.Contracts.ContractKind.Kpi;
    public DateTimeOffset CreatedAt { get; init; }
    public string CreatedBy { get; init; } = "";
}

/// <summary>A job and the contract version that it is bound to.</summary>
internal sealed record ContractUser
{
    public long BindingId { get; init; }
    public required string Environment { get; init; }
    public required string Region { get; init; }
    public required string JobId { get; init; }
    public required string ContractVersion { get; init; }
    /// <summary>Of its definition.</summary>
    public required string CanonicalJson { get; init; }
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

    private const string Columns = "tenant_id, kpi_id, version, contract_id, digest, format, content, canonical_json, status, contract_type, created_at, created_by";

    private const string KnownSql = """
        SELECT DISTINCT kpi_id FROM kpi_contract WHERE tenant_id = @tenant AND kpi_id = ANY (@kpiIds) AND contract_type = 'kpi'
        """;

    /// <summary>Those of which there is any version.</summary>
    public static Task<IReadOnlyList<string>> KnownAsync(RequestTransaction tx, string tenant, string[] kpiIds) => tx.QueryAsync<string>(KnownSql, new { tenant, kpiIds });

    private const string OfSql = $"""
        SELECT {Columns} FROM kpi_contract WHERE tenant_id = @tenant AND contract_type = 'kpi' AND (kpi_id, version) IN (SELECT * FROM unnest(@kpis::text[], @versions::text[]))
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
         WHERE (@tenants::text[] IS NULL OR tenant_id = ANY (@tenants)) AND (@kpiId::text = '' OR kpi_id = @kpiId) AND (@type::text = '' OR contract_type = @type)
           AND (tenant_id, kpi_id, version) > (@afterTenant::text, @afterKpi::text, @afterVersion::text)
         ORDER BY tenant_id, kpi_id, version LIMIT @limit
        """;

    /// <param name="after">Tenant, KPI and version of the last one before the page; null on the first.</param>
    public static Task<IReadOnlyList<ContractRow>> ListAsync(RequestTransaction tx, string[]? tenants, string kpiId, string type, string[]? after, int limit) =>
        tx.QueryAsync<ContractRow>(List, new
        {
            tenants, kpiId, type, limit, afterTenant = after?[0] ?? "", afterKpi = after?[1] ?? "", afterVersion = after?[2] ?? "",
        });

    private const string Move = """
        UPDATE kpi_contract SET status = @to WHERE tenant_id = @tenant AND kpi_id = @kpiId AND version = @version AND status = @from
        """;

    /// <returns>False where the status is no longer <paramref name="from"/>.</returns>
    public static async Task<bool> MoveAsync(RequestTransaction tx, ContractRow row, string from, string to) =>
        await tx.ExecuteAsync(Move, new { tenant = row.TenantId, kpiId = row.KpiId, version = row.Version, from, to }) == 1;

    private const string Versions = """
        SELECT version FROM kpi_contract WHERE tenant_id = @tenant AND kpi_id = @kpiId
        """;

    public static Task<IReadOnlyList<string>> VersionsAsync(RequestTransaction tx, string tenant, string kpiId) => tx.QueryAsync<string>(Versions, new { tenant, kpiId });

    // A KPI's version counts where jobs are bound to it; a table's where any job has stages, for the highest active one is in force for all of them.
    private const string InForce = """
        SELECT DISTINCT b.environment FROM kpi_job_binding b JOIN kpi_job_def d USING (def_id)
         WHERE b.tenant_id = @tenant AND b.pruned_at IS NULL
           AND CASE WHEN @isTable THEN coalesce(d.canonical_json::jsonb #>> '{run,profile}', 'kpi_only') <> 'kpi_only' OR coalesce(d.canonical_json::jsonb #> '{run,stage_set}', '[]') NOT IN ('[]', '["kpi"]')
                    ELSE b.kpi_id = @kpiId AND b.contract_version = @version END
         ORDER BY 1
        """;

    /// <summary>The environments in which runs go by this version, or would if it became active.</summary>
    public static Task<IReadOnlyList<string>> EnvironmentsAsync(RequestTransaction tx, ContractRow row) => tx.QueryAsync<string>(InForce,
        new { tenant = row.TenantId, kpiId = row.KpiId, version = row.Version, isTable = row.ContractType != Jobs.Contracts.ContractKind.Kpi });

    private const string Users = """
        SELECT b.binding_id, b.environment, b.region, b.job_id, b.contract_version, d.canonical_json
          FROM kpi_job_binding b JOIN kpi_job_def d USING (def_id)
         WHERE b.tenant_id = @tenant AND b.kpi_id = @kpiId AND b.contract_version = ANY (@versions) AND b.pruned_at IS NULL
           AND EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant, environment)
                        WHERE g.tenant IN ('*', b.tenant_id) AND g.environment IN ('*', b.environment))
         ORDER BY array_position('{prod,stg,dev}'::text[], b.environment), b.job_id, b.binding_id LIMIT @limit
        """;

    /// <summary>The jobs of a scope that are bound to one of the versions, those of prod first.</summary>
    public static Task<IReadOnlyList<ContractUser>> UsersAsync(RequestTransaction tx, ReadScope scope, string tenant, string kpiId, string[] versions, int limit) =>
        tx.QueryAsync<ContractUser>(Users, new { tenant, kpiId, versions, limit, tenants = scope.Tenants, environments = scope.Environments });
}
