using KpiControl.Control.Requests;

namespace KpiControl.Control.Fleet;

internal static class FleetStore
{
    // A session lives while its node does: the node's row is what heartbeats extend. Leases are counted by a scan, and
    // only here: an index on session_id would move with every run.
    private const string ListSql =
        """
        SELECT s.session_id, s.agent, s.instance::text AS instance, s.region, s.generation, s.build, s.labels::text AS labels,
               s.connections::text AS connections, s.slots, s.opened_at, s.ended_at, s.end_reason, n.name AS node,
               CASE WHEN s.ended_at IS NOT NULL THEN 'ended' WHEN n.expires_at > now() THEN 'live' ELSE 'silent' END AS state,
               ARRAY(SELECT t.tenant_id FROM kpi_session_tenant t
                      WHERE t.session_id = s.session_id AND (@tenants::text[] IS NULL OR t.tenant_id = ANY (@tenants)) ORDER BY 1) AS tenants,
               coalesce(l.leased, 0)::int AS leased
          FROM kpi_session s JOIN kpi_node n USING (node_id)
          LEFT JOIN (SELECT rt.session_id, count(*) AS leased FROM kpi_job_runtime rt
                      WHERE rt.occ_state = 'L' AND (@tenants::text[] IS NULL OR rt.tenant_id = ANY (@tenants)) GROUP BY 1) l ON l.session_id = s.session_id
         WHERE (@region::text = '' OR s.region = @region) AND (@ended OR s.ended_at IS NULL)
           AND (@tenants::text[] IS NULL OR EXISTS (SELECT FROM kpi_session_tenant t WHERE t.session_id = s.session_id AND t.tenant_id = ANY (@tenants)))
           AND (@after::bigint IS NULL OR s.session_id < @after)
         ORDER BY s.session_id DESC LIMIT @limit
        """;

    /// <summary>Sessions that serve a tenant of the caller's, newest first.</summary>
    public static Task<IReadOnlyList<SessionRow>> ListAsync(RequestTransaction tx, string region, bool ended, long? after, int limit) =>
        tx.QueryAsync<SessionRow>(ListSql, new { tenants = tx.Tenants, region, ended, after, limit });
}

internal sealed record SessionRow
{
    public long SessionId { get; init; }
    public string Agent { get; init; } = "";
    public string Instance { get; init; } = "";
    public string Region { get; init; } = "";
    public int Generation { get; init; }
    public string Build { get; init; } = "";
    public string Labels { get; init; } = "{}";
    public string Connections { get; init; } = "{}";
    public int Slots { get; init; }
    public DateTimeOffset OpenedAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
    public string? EndReason { get; init; }
    public string Node { get; init; } = "";
    public string State { get; init; } = "";
    public string[] Tenants { get; init; } = [];
    public int Leased { get; init; }
}
