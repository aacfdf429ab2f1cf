using KpiControl.Control.Requests;

namespace KpiControl.Control.Authoring;

internal sealed record GraphEdge
{
    public required string KpiId { get; init; }
    public required string ContractVersion { get; init; }
    public required string Upstream { get; init; }
}

internal static class GraphStore
{
    // Two jobs that each close half of a cycle must not pass each other.
    private const string Serialize = """
        SELECT pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'kpi_graph', @tenant, @environment, @region), 0))
        """;

    private const string Edges = """
        SELECT DISTINCT b.kpi_id, b.contract_version, d.dep_value AS upstream
          FROM kpi_job_dependency d JOIN kpi_job_binding b USING (binding_id)
         WHERE d.tenant_id = @tenant AND d.dep_type = 'kpi' AND b.environment = @environment AND b.region = @region AND b.job_id <> @except
        """;

    /// <summary>Which KPI of the environment and region waits for which, but for what the job <paramref name="except"/> says.</summary>
    public static async Task<IReadOnlyList<GraphEdge>> EdgesAsync(RequestTransaction tx, string tenant, string environment, string region, string except)
    {
        await tx.ExecuteAsync(Serialize, new { tenant, environment, region });
        return await tx.QueryAsync<GraphEdge>(Edges, new { tenant, environment, region, except });
    }
}
