using KpiControl.Control.Requests;

namespace KpiControl.Control.Signals;

/// <summary>Published facts: only ever added.</summary>
internal static class SignalStore
{
    private const string PlaceSql =
        """
        SELECT EXISTS (SELECT FROM kpi_tenant WHERE tenant_id = @tenant) AS tenant_exists,
               @region::text IS NULL OR EXISTS (SELECT FROM kpi_tenant_region WHERE tenant_id = @tenant AND region = @region) AS region_allowed
        """;

    public static async Task<PublishPlace> PlaceAsync(RequestTransaction tx, string tenant, string? region) =>
        (await tx.FindAsync<PublishPlace>(PlaceSql, new { tenant, region }))!;

    private const string AddSignalSql =
        """
        INSERT INTO kpi_signal (tenant_id, environment, region, name, business_date, published_by)
        VALUES (@tenant, @environment, @region, @name, @businessDate, @by) RETURNING signal_id
        """;

    public static Task<long> AddSignalAsync(RequestTransaction tx, PublishTarget target, string name, DateOnly? businessDate) =>
        tx.FindAsync<long>(AddSignalSql, new { target.Tenant, target.Environment, target.Region, name, businessDate, by = tx.Caller.Principal });

    // The run that published it is its identity: the second publish of a run adds nothing.
    private const string AddRefreshSql =
        """
        INSERT INTO kpi_refresh (tenant_id, environment, region, dataset, data_through, source_run, version, published_by, changed_from)
        VALUES (@tenant, @environment, @region, @dataset, @dataThrough, @sourceRun, @version, @by, @changedFrom)
        ON CONFLICT (tenant_id, environment, region, dataset, source_run) DO NOTHING RETURNING refresh_id
        """;

    public static Task<long?> AddRefreshAsync(RequestTransaction tx, PublishTarget target, Refresh refresh) =>
        tx.FindAsync<long?>(AddRefreshSql, Parameters(tx, target, refresh));

    // One that reaches no further than what was there before, for whoever it serves, is of the past.
    private const string NoteLateSql =
        """
        INSERT INTO kpi_late_refresh (refresh_id, tenant_id)
        SELECT @id, @Tenant WHERE @ChangedFrom::timestamptz IS NOT NULL OR EXISTS (
          SELECT FROM kpi_refresh e WHERE e.tenant_id = @Tenant AND e.environment = @Environment AND e.dataset = @Dataset AND e.data_through >= @DataThrough AND e.refresh_id <> @id
             AND (e.region IS NULL OR @Region::text IS NULL OR e.region = @Region))
        """;

    /// <summary>Leaves it to be looked at whether somebody reported of it before: whatever is offered for it is offered after the commit.</summary>
    public static Task NoteLateAsync(RequestTransaction tx, PublishTarget target, Refresh refresh, long id) =>
        tx.ExecuteAsync(NoteLateSql, new { id, target.Tenant, target.Environment, target.Region, refresh.Dataset, refresh.DataThrough, refresh.ChangedFrom });

    private const string FindRefreshSql =
        """
        SELECT refresh_id, data_through = @dataThrough AND version = @version AND changed_from IS NOT DISTINCT FROM @changedFrom::timestamptz AS same FROM kpi_refresh
         WHERE tenant_id = @tenant AND environment = @environment AND region IS NOT DISTINCT FROM @region::text
           AND dataset = @dataset AND source_run = @sourceRun
        """;

    public static async Task<EarlierRefresh> FindRefreshAsync(RequestTransaction tx, PublishTarget target, Refresh refresh) =>
        (await tx.FindAsync<EarlierRefresh>(FindRefreshSql, Parameters(tx, target, refresh)))!;

    private const string ListSql =
        """
        SELECT * FROM (
          SELECT 'signal' AS kind, signal_id AS id, tenant_id, environment, region, name, business_date, NULL::timestamptz AS data_through, NULL::timestamptz AS changed_from,
                 '' AS source_run, '' AS version, published_at, published_by FROM kpi_signal
          UNION ALL
          SELECT 'gdp', refresh_id, tenant_id, environment, region, dataset, NULL, data_through, changed_from, source_run, version, published_at, published_by
            FROM kpi_refresh) f
         WHERE EXISTS (SELECT FROM unnest(@tenants, @environments) AS g(tenant_id, environment)
                        WHERE g.tenant_id IN ('*', f.tenant_id) AND g.environment IN ('*', f.environment))
           AND (@tenant::text = '' OR f.tenant_id = @tenant) AND (@environment::text = '' OR f.environment = @environment)
           AND (@name::text = '' OR f.name = @name)
           AND (@at::timestamptz IS NULL OR (f.published_at, f.kind, f.id) < (@at, @kind::text, @id::bigint))
         ORDER BY f.published_at DESC, f.kind DESC, f.id DESC LIMIT @limit
        """;

    public static Task<IReadOnlyList<PublishedRow>> ListAsync(RequestTransaction tx, object parameters) => tx.QueryAsync<PublishedRow>(ListSql, parameters);

    private static object Parameters(RequestTransaction tx, PublishTarget target, Refresh refresh) => new
    {
        target.Tenant, target.Environment, target.Region, refresh.Dataset, refresh.DataThrough, refresh.SourceRun, refresh.Version, refresh.ChangedFrom, by = tx.Caller.Principal,
    };
}

/// <summary>Whom a publish is for; a null region is every region.</summary>
internal sealed record PublishTarget(string Tenant, string Environment, string? Region);

internal sealed record Refresh(string Dataset, DateTimeOffset DataThrough, string SourceRun, string Version, DateTimeOffset? ChangedFrom);

internal sealed record PublishPlace
{
    public bool TenantExists { get; init; }
    public bool RegionAllowed { get; init; }
}

internal sealed record EarlierRefresh
{
    public long RefreshId { get; init; }
    public bool Same { get; init; }
}

internal sealed record PublishedRow
{
    public string Kind { get; init; } = "";
    public long Id { get; init; }
    public string TenantId { get; init; } = "";
    public string Environment { get; init; } = "";
    public string? Region { get; init; }
    public string Name { get; init; } = "";
    public DateOnly? BusinessDate { get; init; }
    public DateTimeOffset? DataThrough { get; init; }
    public DateTimeOffset? ChangedFrom { get; init; }
    public string SourceRun { get; init; } = "";
    public string Version { get; init; } = "";
    public DateTimeOffset PublishedAt { get; init; }
    public string PublishedBy { get; init; } = "";
}
