using System.Globalization;
using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Leases;

/// <summary>Reads what stood when attempts ran: the policy in force, and what their dependencies were met by.</summary>
internal sealed class RunFactsStore(Databases databases)
{
    // Of the kind that timestamptz takes: as MaxValue comes, one attempt of a batch without its instant refused them all.
    private static readonly DateTime Never = DateTime.SpecifyKind(DateTime.MaxValue, DateTimeKind.Utc);

    private const string PoliciesSql =
        """
        SELECT x.tenant, x.environment, coalesce((SELECT max(p.version) FROM kpi_tenant_policy p WHERE p.tenant_id = x.tenant AND p.environment = x.environment), 0) AS version
          FROM unnest(@tenants, @environments) AS x(tenant, environment)
        """;

    // An upstream run with a later number was granted after this one, which therefore never took its value. Of facts without
    // such a number the newest published before the attempt began; an agent whose clock is behind gets the first there was.
    private const string InputsSql =
        """
        SELECT x.binding_id, d.dep_type AS type, d.dep_value AS name, f.refresh_id, f.data_through, f.source_run, f.version, s.signal_id,
               coalesce(f.published_at, s.published_at) AS published_at, coalesce(f.published_by, s.published_by) AS published_by, u.run_id, u.job_id
          FROM unnest(@ids, @fences, @dates, @starts) AS x(binding_id, fence, business_date, began)
          JOIN kpi_job_binding b ON b.binding_id = x.binding_id
          JOIN kpi_job_dependency d ON d.binding_id = x.binding_id
          LEFT JOIN LATERAL (
            SELECT refresh_id, data_through, source_run, version, published_at, published_by FROM kpi_refresh
             WHERE d.dep_type = 'gdp' AND tenant_id = b.tenant_id AND environment = b.environment AND dataset = d.dep_value AND (region IS NULL OR region = b.region)
             ORDER BY published_at <= x.began DESC, CASE WHEN published_at <= x.began THEN data_through END DESC NULLS LAST, published_at LIMIT 1) f ON true
          LEFT JOIN LATERAL (
            SELECT g.signal_id, g.published_at, g.published_by FROM kpi_signal g
             WHERE d.dep_type = 'signal' AND g.tenant_id = b.tenant_id AND g.environment = b.environment AND g.name = d.dep_value AND (g.region IS NULL OR g.region = b.region)
               AND (g.business_date = x.business_date OR g.business_date IS NULL AND EXISTS (SELECT FROM kpi_signal_use v WHERE v.signal_id = g.signal_id AND v.binding_id = x.binding_id))
             ORDER BY g.published_at <= x.began DESC, g.published_at DESC LIMIT 1) s ON true
          LEFT JOIN LATERAL (
            SELECT h.run_id, o.job_id FROM kpi_job_binding o JOIN kpi_job_history h ON h.binding_id = o.binding_id
             WHERE d.dep_type = 'kpi' AND o.tenant_id = b.tenant_id AND o.environment = b.environment AND o.region = b.region
               AND o.kpi_id = split_part(d.dep_value, '@', 1) AND o.contract_version = split_part(d.dep_value, '@', 2)
               AND h.recorded_at >= x.business_date::timestamptz - interval '1 day' AND h.business_date = x.business_date
               AND h.final AND h.status IN ('success', 'partial') AND h.run_id < x.fence
             ORDER BY h.recorded_at DESC LIMIT 1) u ON true
         ORDER BY x.binding_id, d.dep_type, d.dep_value
        """;

    /// <returns>Of each attempt, in their order.</returns>
    public async Task<IReadOnlyList<RunFacts>> OfAsync(IReadOnlyList<RunAsked> attempts, CancellationToken token)
    {
        if (attempts.Count == 0)
            return [];
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        var places = attempts.Select(a => (a.Plan.Tenant, a.Plan.Environment)).Distinct().ToList();
        var policies = (await connection.QueryAsync<(string Tenant, string Environment, int Version)>(new CommandDefinition(PoliciesSql, new
        {
            tenants = places.Select(p => p.Tenant).ToArray(), environments = places.Select(p => p.Environment).ToArray(),
        }, cancellationToken: token))).ToDictionary(p => (p.Tenant, p.Environment), p => p.Version);
        var dependent = attempts.Where(a => a.Plan.HasDependencies).ToList();
        var inputs = dependent.Count == 0 ? null : (await connection.QueryAsync<RunInput>(new CommandDefinition(InputsSql, new
        {
            ids = dependent.Select(a => a.Plan.BindingId).ToArray(), fences = dependent.Select(a => a.Fence).ToArray(),
            dates = dependent.Select(a => a.BusinessDate).ToArray(), starts = dependent.Select(a => a.Began?.UtcDateTime ?? Never).ToArray(),
        }, cancellationToken: token))).ToLookup(i => i.BindingId);
        return [.. attempts.Select(a => new RunFacts(policies[(a.Plan.Tenant, a.Plan.Environment)], inputs is null ? [] : [.. inputs[a.Plan.BindingId]]))];
    }
}

/// <summary>An attempt whose surroundings are asked for.</summary>
/// <param name="Began">By the agent's clock; null where it did not say.</param>
internal readonly record struct RunAsked(BindingPlan Plan, long Fence, DateOnly BusinessDate, DateTimeOffset? Began);

/// <param name="PolicyVersion">0: none was ever put.</param>
internal sealed record RunFacts(int PolicyVersion, IReadOnlyList<RunInput> Inputs);

/// <summary>A dependency and what it was met by; without either, it was met by something that is gone.</summary>
internal sealed record RunInput
{
    public long BindingId { get; init; }
    /// <summary><c>gdp</c>, <c>signal</c> or <c>kpi</c>.</summary>
    public string Type { get; init; } = "";
    public string Name { get; init; } = "";
    public long? RefreshId { get; init; }
    public DateTimeOffset? DataThrough { get; init; }
    public string? SourceRun { get; init; }
    public string? Version { get; init; }
    public long? SignalId { get; init; }
    public DateTimeOffset? PublishedAt { get; init; }
    public string? PublishedBy { get; init; }
    /// <summary>The upstream KPI's run.</summary>
    public long? RunId { get; init; }
    public string? JobId { get; init; }

    public bool IsMet => RefreshId is not null || SignalId is not null || RunId is not null;

    /// <summary>As it is kept in evidence: every value a text.</summary>
    public IEnumerable<(string Name, string? Value)> Members() =>
    [
        ("type", Type), ("name", Name), ("refresh_id", Text(RefreshId)), ("data_through", Text(DataThrough)), ("source_run", SourceRun), ("version", Version),
        ("signal_id", Text(SignalId)), ("published_at", Text(PublishedAt)), ("published_by", PublishedBy), ("run_id", Text(RunId)), ("job_id", JobId),
    ];

    private static string? Text(long? number) => number?.ToString(CultureInfo.InvariantCulture);

    private static string? Text(DateTimeOffset? at) => at is { } time ? Audit.ChainTime.Text(time.UtcDateTime) : null;
}
