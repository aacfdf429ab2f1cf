using KpiControl.Control.Requests;

namespace KpiControl.Control.Alerts;

internal sealed record SlaStateRow
{
    public long BindingId { get; init; }
    public required string TenantId { get; init; }
    public required string Environment { get; init; }
    public required string JobId { get; init; }
    public string? Criticality { get; init; }
    public required string Clock { get; init; }
    public required string State { get; init; }
    public DateTimeOffset? WarnAt { get; init; }
    public DateTimeOffset? BreachAt { get; init; }
    public DateTimeOffset? GoodThrough { get; init; }
    public long? EpisodeId { get; init; }
}

internal sealed record SlaFigureRow
{
    public required string TenantId { get; init; }
    public required string Key { get; init; }
    public long BindingId { get; init; }
    public required string Clock { get; init; }
    public double Total { get; init; }
    public double Missed { get; init; }
    public double Whole { get; init; }
    public int Breaches { get; init; }
}

/// <summary>How promises stand, and how they stood in a month.</summary>
internal static class SlaReadStore
{
    private const string States = """
        SELECT c.binding_id, c.tenant_id, b.environment, b.job_id, d.canonical_json::jsonb ->> 'criticality' AS criticality, c.clock, c.state, rt.good_through,
               CASE WHEN c.clock <> 'latency' THEN c.warn_at END AS warn_at, CASE WHEN c.clock <> 'latency' THEN c.breach_at END AS breach_at, e.episode_id
          FROM kpi_sla_clock c JOIN kpi_job_binding b USING (binding_id) JOIN kpi_job_def d USING (def_id) JOIN kpi_job_runtime rt USING (binding_id)
          LEFT JOIN kpi_sla_episode e ON e.binding_id = c.binding_id AND e.clock = c.clock AND e.resolved_at IS NULL
         WHERE EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant, environment)
                        WHERE g.tenant IN ('*', b.tenant_id) AND g.environment IN ('*', b.environment))
           AND (@tenant::text = '' OR b.tenant_id = @tenant) AND (@environment::text = '' OR b.environment = @environment)
           AND (@binding::bigint = 0 OR c.binding_id = @binding) AND (@state::text = '' OR c.state = @state)
           AND (c.binding_id, c.clock) > (@after::bigint, @afterClock::text)
         ORDER BY c.binding_id, c.clock LIMIT @limit
        """;

    public static Task<IReadOnlyList<SlaStateRow>> StatesAsync(RequestTransaction tx, object parameters) => tx.QueryAsync<SlaStateRow>(States, parameters);

    // Of time in which the clock ran, what was in breach; of latency, runs. Latency by the target that is in force now.
    private const string Figures = """
        WITH m AS (
          SELECT @from::timestamptz AS from_at, @to::timestamptz AS to_at, least(@to::timestamptz, now()) AS seen_to
        ), c AS (
          SELECT c.*, b.environment, b.job_id, greatest(m.from_at, c.armed_at) AS since, m.seen_to, m.to_at, m.from_at,
                 CASE @groupBy::text WHEN 'tenant' THEN '' WHEN 'criticality' THEN coalesce(d.canonical_json::jsonb ->> 'criticality', 'none') ELSE b.environment || '/' || b.job_id END AS key
            FROM m, kpi_sla_clock c JOIN kpi_job_binding b USING (binding_id) JOIN kpi_job_def d USING (def_id)
           WHERE c.state <> 'off' AND c.armed_at < m.to_at
             AND EXISTS (SELECT FROM unnest(@tenants::text[], @environments::text[]) AS g(tenant, environment)
                          WHERE g.tenant IN ('*', b.tenant_id) AND g.environment IN ('*', b.environment))
             AND (@tenant::text = '' OR b.tenant_id = @tenant) AND (@environment::text = '' OR b.environment = @environment)
        ), x AS (
          SELECT c.tenant_id, c.key, c.binding_id, c.clock,
                 CASE c.clock WHEN 'latency' THEN r.runs ELSE greatest(0, extract(epoch FROM c.seen_to - c.since)) END AS total,
                 CASE c.clock WHEN 'latency' THEN r.slow ELSE coalesce(e.seconds, 0) END AS missed,
                 CASE c.clock WHEN 'latency' THEN r.runs ELSE greatest(0, extract(epoch FROM c.to_at - c.since)) END AS whole, e.breaches
            FROM c
            CROSS JOIN LATERAL (
              SELECT sum(greatest(0, extract(epoch FROM least(coalesce(e.resolved_at, c.seen_to), c.seen_to) - greatest(e.breached_at, c.since)))) AS seconds, count(*)::int AS breaches
                FROM kpi_sla_episode e WHERE e.binding_id = c.binding_id AND e.clock = c.clock AND e.breached_at < c.seen_to AND coalesce(e.resolved_at, 'infinity') > c.from_at
            ) e
            LEFT JOIN LATERAL (
              SELECT count(*) AS runs, count(*) FILTER (WHERE h.finished_at - h.started_at > c.target + c.grace) AS slow FROM kpi_job_history h
               WHERE c.clock = 'latency' AND h.binding_id = c.binding_id AND h.recorded_at >= c.from_at AND h.recorded_at < c.to_at AND h.started_at IS NOT NULL AND h.finished_at IS NOT NULL
            ) r ON true
        )
        SELECT tenant_id, key, CASE WHEN @groupBy::text IN ('tenant', 'criticality') THEN 0 ELSE min(binding_id) END AS binding_id, clock,
               sum(total)::float8 AS total, sum(missed)::float8 AS missed, sum(whole)::float8 AS whole, sum(breaches)::int AS breaches
          FROM x GROUP BY tenant_id, key, clock HAVING (tenant_id, key, clock) > (@afterTenant::text, @afterKey::text, @afterClock::text)
         ORDER BY tenant_id, key, clock LIMIT @limit
        """;

    public static Task<IReadOnlyList<SlaFigureRow>> FiguresAsync(RequestTransaction tx, object parameters) => tx.QueryAsync<SlaFigureRow>(Figures, parameters);
}
