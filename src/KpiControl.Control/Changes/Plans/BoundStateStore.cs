using KpiControl.Control.Requests;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Changes.Plans;

internal sealed record BoundStateRow
{
    public long BindingId { get; init; }
    public required string CanonicalJson { get; init; }
    public bool Paused { get; init; }
    public long LastChangeId { get; init; }
    public long OpenChangeId { get; init; }
    public string OpenHash { get; init; } = "";
    public bool OpenRemoves { get; init; }
}

internal sealed record ComputerRow
{
    public required string KpiId { get; init; }
    public required string ContractVersion { get; init; }
    public int Jobs { get; init; }
}

/// <summary>What a plan looks at beside the bindings themselves.</summary>
internal static class BoundStateStore
{
    private const string States = """
        SELECT b.binding_id, d.canonical_json, COALESCE(rt.paused_until > now(), false) AS paused, COALESCE(c.last_change_id, 0) AS last_change_id,
               COALESCE(c.open_change_id, 0) AS open_change_id, COALESCE(c.open_hash, '') AS open_hash, COALESCE(c.open_removes, false) AS open_removes
          FROM kpi_job_binding b JOIN kpi_job_def d USING (def_id) JOIN kpi_job_runtime rt USING (binding_id)
          LEFT JOIN (SELECT binding_id, max(change_id) AS last_change_id, max(change_id) FILTER (WHERE state = 'open') AS open_change_id,
                            max(content_hash) FILTER (WHERE state = 'open') AS open_hash, bool_or(kind = 'remove') FILTER (WHERE state = 'open') AS open_removes
                       FROM kpi_change WHERE binding_id = ANY (@ids) GROUP BY binding_id) c ON c.binding_id = b.binding_id
         WHERE b.binding_id = ANY (@ids)
        """;

    public static Task<IReadOnlyList<BoundStateRow>> StatesAsync(RequestTransaction tx, long[] ids) => tx.QueryAsync<BoundStateRow>(States, new { ids });

    private const string Computers = """
        SELECT kpi_id, contract_version, count(*)::int AS jobs FROM kpi_job_binding
         WHERE tenant_id = @tenant AND environment = @environment AND region = @region AND active_flag
           AND (kpi_id, contract_version) IN (SELECT * FROM unnest(@kpis::text[], @versions::text[]))
         GROUP BY kpi_id, contract_version
        """;

    /// <summary>How many scheduled jobs of a region compute each of these.</summary>
    public static async Task<Dictionary<KpiReference, int>> ComputersAsync(RequestTransaction tx, string tenant, string environment, string region, IReadOnlyCollection<KpiReference> kpis) =>
        (await tx.QueryAsync<ComputerRow>(Computers, new
        {
            tenant, environment, region, kpis = kpis.Select(kpi => kpi.KpiId).ToArray(), versions = kpis.Select(kpi => kpi.ContractVersion).ToArray(),
        })).ToDictionary(row => new KpiReference(row.KpiId, row.ContractVersion), row => row.Jobs);
}
