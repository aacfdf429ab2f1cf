using KpiControl.Control.Requests;

namespace KpiControl.Control.Fleet;

internal static class FleetStore
{
    // A session lives while its node does: the node's row is what heartbeats extend. Leases are counted by a scan, and
    // only here: an index on session_id would move with every run.
    private const string ListSql =
        """
        SELECT s.session_id, s.agent, s.instance::text AS instance, s.region, s.generation, s.build, s.labels::text AS labels,
               s.connections::text AS connections, s.slots, s.opened_at, s.ended_at, s.end_reason, n.name AS node, a.drained_at, a.drain_reason,
               CASE WHEN s.ended_at IS NOT NULL THEN 'ended' WHEN n.expires_at <= now() THEN 'silent' WHEN a.drained_at IS NULL THEN 'live'
                    WHEN l.held > 0 THEN 'draining' ELSE 'drained' END AS state,
               ARRAY(SELECT t.tenant_id FROM kpi_session_tenant t
                      WHERE t.session_id = s.session_id AND (@tenants::text[] IS NULL OR t.tenant_id = ANY (@tenants)) ORDER BY 1) AS tenants,
               coalesce(l.leased, 0)::int AS leased
          FROM kpi_session s JOIN kpi_node n USING (node_id) LEFT JOIN kpi_agent a ON a.agent = s.agent
          LEFT JOIN (SELECT rt.session_id, count(*) AS held, count(*) FILTER (WHERE @tenants::text[] IS NULL OR rt.tenant_id = ANY (@tenants)) AS leased
                       FROM (SELECT session_id, tenant_id FROM kpi_job_runtime WHERE occ_state = 'L' UNION ALL SELECT session_id, tenant_id FROM kpi_aside WHERE occ_state = 'L') rt GROUP BY 1) l ON l.session_id = s.session_id
         WHERE (@region::text = '' OR s.region = @region) AND (@agent::text = '' OR s.agent = @agent) AND (@ended OR s.ended_at IS NULL)
           AND (@tenants::text[] IS NULL OR EXISTS (SELECT FROM kpi_session_tenant t WHERE t.session_id = s.session_id AND t.tenant_id = ANY (@tenants)))
           AND (@after::bigint IS NULL OR s.session_id < @after)
         ORDER BY s.session_id DESC LIMIT @limit
        """;

    /// <summary>Sessions that serve a tenant of the caller's, newest first.</summary>
    public static Task<IReadOnlyList<SessionRow>> ListAsync(RequestTransaction tx, string region, bool ended, long? after, int limit) =>
        tx.QueryAsync<SessionRow>(ListSql, new { tenants = tx.Tenants, region, agent = "", ended, after, limit });

    /// <summary>An agent's newest session; null where none ever was.</summary>
    public static async Task<SessionRow?> FindAsync(RequestTransaction tx, string agent) =>
        (await tx.QueryAsync<SessionRow>(ListSql, new { tenants = tx.Tenants, region = "", agent, ended = true, after = (long?)null, limit = 1 })).SingleOrDefault();

    private const string DrainSql = """
        INSERT INTO kpi_agent AS a (agent, drained_at, drained_by, drain_reason)
        SELECT @agent, now(), @by, @reason WHERE EXISTS (SELECT FROM kpi_session s WHERE s.agent = @agent)
        ON CONFLICT (agent) DO UPDATE SET drained_at = excluded.drained_at, drained_by = excluded.drained_by, drain_reason = excluded.drain_reason WHERE a.drained_at IS NULL
        """;

    private const string ResumeSql = """
        UPDATE kpi_agent SET drained_at = NULL, drained_by = NULL, drain_reason = NULL WHERE agent = @agent AND drained_at IS NOT NULL
        """;

    // Waits for the grants that hold the session's row, and those that come after it see it. A statement of its own, which sees
    // what a Hello that held the agent's row has committed meanwhile.
    private const string HoldSql = """
        UPDATE kpi_session s SET drained_at = a.drained_at FROM kpi_agent a
         WHERE a.agent = @agent AND s.agent = a.agent AND s.ended_at IS NULL AND s.drained_at IS DISTINCT FROM a.drained_at
        """;

    private const string Notify = """
        SELECT pg_notify('kpi', 'drain')
        """;

    /// <returns>False: it was drained before, or there is no such agent.</returns>
    public static Task<bool> DrainAsync(RequestTransaction tx, string agent, string reason) => ChangeAsync(tx, DrainSql, agent, reason);

    /// <returns>False: it was not drained.</returns>
    public static Task<bool> ResumeAsync(RequestTransaction tx, string agent) => ChangeAsync(tx, ResumeSql, agent, "");

    private static async Task<bool> ChangeAsync(RequestTransaction tx, string sql, string agent, string reason)
    {
        if (await tx.ExecuteAsync(sql, new { agent, reason, by = tx.Caller.Principal }) == 0)
            return false;
        await tx.ExecuteAsync(HoldSql, new { agent });
        await tx.ExecuteAsync(Notify);
        return true;
    }
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
    public DateTimeOffset? DrainedAt { get; init; }
    public string? DrainReason { get; init; }
}
