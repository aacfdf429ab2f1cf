using KpiControl.Control.Leases;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Authoring;

/// <summary>Who could execute stages, and by which contracts of tables.</summary>
internal static class StageStore
{
    // Known is who is connected, or was lately: an agent that restarts must not fail a release, and one that is gone for good is nobody to rely on.
    private const string Agents = """
        SELECT DISTINCT ON (s.agent) s.connections::text AS connections, s.connection_stages::text AS stages
          FROM kpi_session s JOIN kpi_session_tenant t USING (session_id)
         WHERE s.region = @region AND t.tenant_id = @tenant AND (s.ended_at IS NULL OR s.ended_at > now() - interval '7 days')
         ORDER BY s.agent, s.session_id DESC
        """;

    /// <summary>The latest session of each agent that serves the tenant in the region.</summary>
    public static Task<IReadOnlyList<KnownAgent>> AgentsAsync(RequestTransaction tx, string tenant, string region) =>
        tx.QueryAsync<KnownAgent>(Agents, new { tenant, region });

    private const string Datasets = """
        SELECT kpi_id AS dataset, version, digest, status, canonical_json FROM kpi_contract
         WHERE tenant_id = @tenant AND contract_type IN ('gdp', 'raw') AND status IN ('active', 'deprecated')
           AND (kpi_id = ANY (@tables) OR kpi_id IN (SELECT jsonb_array_elements_text(g.canonical_json::jsonb #> '{header,dependencies}') FROM kpi_contract g
                 WHERE g.tenant_id = @tenant AND g.contract_type = 'gdp' AND g.kpi_id = ANY (@tables) AND g.status IN ('active', 'deprecated')))
        """;

    /// <summary>Contracts in force of GDP tables, and of the raw tables that these are built from.</summary>
    public static Task<IReadOnlyList<DatasetRow>> DatasetsAsync(RequestTransaction tx, string tenant, string[] tables) =>
        tx.QueryAsync<DatasetRow>(Datasets, new { tenant, tables });
}

internal sealed record KnownAgent
{
    public string Connections { get; init; } = "{}";
    public string Stages { get; init; } = "{}";
}
