using KpiControl.Control.Requests;

namespace KpiControl.Control.Authoring;

internal sealed record GraphEdge
{
    public required string KpiId { get; init; }
    public required string ContractVersion { get; init; }
    public required string Upstream { get; init; }
}

internal sealed record UnservedNames
{
    public string[] UnknownKpis { get; init; } = [];
    public string[] UnboundKpis { get; init; } = [];
    public string[] UnknownTables { get; init; } = [];
    public string[] UnpublishedSignals { get; init; } = [];
    public string[] KnownSignals { get; init; } = [];
}

/// <summary>Jobs that wait for a signal: the first and the last by name.</summary>
internal sealed record SignalWaiters
{
    public required string Signal { get; init; }
    public required string First { get; init; }
    public required string Last { get; init; }
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
         WHERE d.tenant_id = @tenant AND d.dep_type = 'kpi' AND b.environment = @environment AND b.region = @region AND b.pruned_at IS NULL AND b.job_id <> ALL (@except)
        """;

    // A signal that another job waits for was thought of once before: that is as much as can be known of it before its first publish.
    private const string Unserved = """
        SELECT ARRAY(SELECT k FROM unnest(@kpis::text[]) AS k WHERE NOT EXISTS (SELECT FROM kpi_contract c
                  WHERE c.tenant_id = @tenant AND c.contract_type = 'kpi' AND c.kpi_id = split_part(k, '@', 1) AND c.version = split_part(k, '@', 2))) AS unknown_kpis,
               ARRAY(SELECT k FROM unnest(@kpis::text[]) AS k WHERE NOT EXISTS (SELECT FROM kpi_job_binding b JOIN kpi_job_def d USING (def_id)
                  WHERE b.tenant_id = @tenant AND b.environment = @environment AND b.region = @region AND b.active_flag AND d.computes_kpi
                    AND b.kpi_id = split_part(k, '@', 1) AND b.contract_version = split_part(k, '@', 2))) AS unbound_kpis,
               ARRAY(SELECT t FROM unnest(@tables::text[]) AS t
                 WHERE NOT EXISTS (SELECT FROM kpi_refresh f WHERE f.tenant_id = @tenant AND f.environment = @environment AND f.dataset = t)
                   AND NOT EXISTS (SELECT FROM kpi_contract c WHERE c.tenant_id = @tenant AND (c.contract_type = 'gdp' AND c.kpi_id = t
                        OR c.contract_type = 'kpi' AND jsonb_exists(c.canonical_json::jsonb -> 'header' -> 'dependencies', t)))) AS unknown_tables,
               ARRAY(SELECT s FROM unnest(@signals::text[]) AS s
                 WHERE NOT EXISTS (SELECT FROM kpi_signal p WHERE p.tenant_id = @tenant AND p.environment = @environment AND p.name = s)) AS unpublished_signals,
               ARRAY(SELECT DISTINCT d.dep_value FROM kpi_job_dependency d JOIN kpi_job_binding b USING (binding_id)
                      WHERE d.tenant_id = @tenant AND d.dep_type = 'signal' AND b.environment = @environment
                        AND cardinality(@signals::text[]) > 0 LIMIT 200) AS known_signals
        """;

    /// <summary>Of the names that jobs wait for, those that nobody declared who could serve them.</summary>
    public static async Task<UnservedNames> UnservedAsync(RequestTransaction tx, string tenant, string environment, string region, string[] kpis, string[] tables, string[] signals) =>
        (await tx.FindAsync<UnservedNames>(Unserved, new { tenant, environment, region, kpis, tables, signals }))!;

    // The first and the last say of each job whether another one waits.
    private const string Waiters = """
        SELECT d.dep_value AS signal, min(b.job_id) AS first, max(b.job_id) AS last
          FROM kpi_job_dependency d JOIN kpi_job_binding b USING (binding_id)
         WHERE d.tenant_id = @tenant AND d.dep_type = 'signal' AND d.dep_value = ANY (@signals) AND b.environment = @environment
         GROUP BY d.dep_value
        """;

    public static Task<IReadOnlyList<SignalWaiters>> WaitersAsync(RequestTransaction tx, string tenant, string environment, string[] signals) =>
        tx.QueryAsync<SignalWaiters>(Waiters, new { tenant, environment, signals });

    /// <summary>Which KPI of the environment and region waits for which, but for what the jobs <paramref name="except"/> say.</summary>
    /// <param name="forEdit">Nobody else changes the graph until the transaction ends.</param>
    public static async Task<IReadOnlyList<GraphEdge>> EdgesAsync(RequestTransaction tx, string tenant, string environment, string region, string[] except, bool forEdit)
    {
        if (forEdit)
            await tx.ExecuteAsync(Serialize, new { tenant, environment, region });
        return await tx.QueryAsync<GraphEdge>(Edges, new { tenant, environment, region, except });
    }
}
