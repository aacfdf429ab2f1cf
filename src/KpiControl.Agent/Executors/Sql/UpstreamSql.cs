using KpiControl.Jobs.Contracts;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>
/// Reads the values of upstream KPIs: same tenant and environment, pinned version, highest revision. What is reported takes what was
/// reported; the restated view takes a point as it was restated, or, where nobody restated it, as it stands reported.
/// </summary>
internal sealed class UpstreamSql(IWarehouse warehouse, MetricContract contract, string tenant, string environment, string scdView)
{
    private const string Latest = """
        (SELECT CASE length(period)
                  WHEN 10 THEN CAST(period AS DATE)
                  WHEN 4 THEN CAST(period || '-01-01' AS DATE)
                  WHEN 8 THEN CAST(date_trunc('week', CAST(substr(period, 1, 4) || '-01-04' AS TIMESTAMP)) + INTERVAL '7 days' * (CAST(substr(period, 7, 2) AS INTEGER) - 1) AS DATE)
                  ELSE CASE WHEN period LIKE '%Q%' THEN make_date(CAST(substr(period, 1, 4) AS INTEGER), CAST(substr(period, 7, 1) AS INTEGER) * 3 - 2, 1)
                            ELSE CAST(period || '-01' AS DATE) END
                END AS period{columns}, metric, value
         FROM (SELECT DISTINCT ON (period, dimensions, metric) period, dimensions, metric, value, extensions
               FROM kpi_values
               WHERE tenant_id = {tenant} AND environment = {environment} AND kpi_id = {kpi} AND contract_version = {version}
                 AND scd_view IN ({scd}, 'as_reported') AND filters = CAST('[]' AS {json}) AND {keys} = {names}
               ORDER BY period, dimensions, metric, scd_view = {scd} DESC, revision DESC) AS latest
         WHERE extensions IS NOT NULL)
        """;

    /// <summary>The KPIs that the statements rendered so far read.</summary>
    public HashSet<string> Read { get; } = [];

    public string Subquery(string kpiId, IReadOnlyList<string> dimensions, SqlParameters parameters)
    {
        if (contract.KpiDependencies.FirstOrDefault(one => one.KpiId == kpiId)?.ContractVersion is not { } version)
            throw new ArgumentException($"header.dependencies has no {kpiId}@version");
        if (dimensions.FirstOrDefault(name => name.Length == 0 || !name.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter == '_')) is { } bad)
            throw new ArgumentException($"`{bad}` is no dimension");
        Read.Add(kpiId);
        return Latest
            .Replace("{columns}", string.Concat(dimensions.Select(name => $", dimensions ->> '{name}' AS \"{name}\"")), StringComparison.Ordinal)
            .Replace("{tenant}", parameters.Named("tenant", tenant), StringComparison.Ordinal)
            .Replace("{environment}", parameters.Named("environment", environment), StringComparison.Ordinal)
            .Replace("{kpi}", parameters.Named($"kpi {kpiId}", kpiId), StringComparison.Ordinal)
            .Replace("{version}", parameters.Named($"version {kpiId}", version), StringComparison.Ordinal)
            .Replace("{scd}", parameters.Named("scd_view", scdView), StringComparison.Ordinal)
            .Replace("{names}", parameters.Named($"names {string.Join(',', dimensions)}", string.Join(',', dimensions.Order(StringComparer.Ordinal))), StringComparison.Ordinal)
            .Replace("{json}", warehouse.JsonType, StringComparison.Ordinal)
            .Replace("{keys}", warehouse.DimensionKeys, StringComparison.Ordinal);
    }
}
