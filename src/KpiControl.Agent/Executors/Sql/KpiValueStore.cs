using System.Data.Common;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>The series that an attempt writes: everything of the key but the points.</summary>
internal sealed record SeriesKey(
    string Tenant, string Environment, string KpiId, string ContractVersion, string ScdView, string FiltersJson, string DimensionNames)
{
    public string Name => string.Join('\n', Tenant, Environment, KpiId, ContractVersion, ScdView, FiltersJson, DimensionNames);
}

/// <summary>One point as it is stored; JSON in one spelling, so that equal points are equal texts.</summary>
internal sealed record StoredPoint(string Period, string DimensionsJson, string Metric, double? Value, string ExtensionsJson);

/// <summary>
/// <c>kpi_values</c> and <c>kpi_fence</c> on a warehouse. Both engines run the same statements; what differs is
/// written in braces.
/// </summary>
internal sealed class KpiValueStore(IWarehouse warehouse)
{
    private const string TablesThere = """
        SELECT COUNT(*) FROM information_schema.tables WHERE table_name IN ('kpi_values', 'kpi_fence')
        """;

    private const string MakeValues = """
        CREATE TABLE IF NOT EXISTS kpi_values (
          tenant_id TEXT NOT NULL, environment TEXT NOT NULL, kpi_id TEXT NOT NULL, contract_version TEXT NOT NULL,
          scd_view TEXT NOT NULL, filters {json} NOT NULL, period TEXT NOT NULL, dimensions {json} NOT NULL, metric TEXT NOT NULL,
          revision INTEGER NOT NULL, value DOUBLE PRECISION, extensions {json},
          attempt UUID NOT NULL, fence_epoch INTEGER NOT NULL, fence_n BIGINT NOT NULL, computed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
          PRIMARY KEY (tenant_id, environment, kpi_id, contract_version, scd_view, filters, period, dimensions, metric, revision))
        """;

    private const string MakeFence = """
        CREATE TABLE IF NOT EXISTS kpi_fence (
          tenant_id TEXT NOT NULL, binding_id BIGINT NOT NULL, slot_key TEXT NOT NULL, epoch INTEGER NOT NULL, n BIGINT NOT NULL,
          PRIMARY KEY (tenant_id, binding_id, slot_key))
        """;

    /// <summary>Makes the tables where they are missing; a role that may not is fine where they are there.</summary>
    public async Task EnsureTablesAsync(DbConnection connection, CancellationToken token)
    {
        if (Convert.ToInt64(await connection.ScalarAsync(warehouse, TablesThere, [], token), null) >= 2)
            return;
        await warehouse.WriteAsync(() => MakeTablesAsync(connection, token), token);
    }

    private async Task<bool> MakeTablesAsync(DbConnection connection, CancellationToken token)
    {
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.ScalarAsync(warehouse, warehouse.LockSchema, [], token);
        foreach (var statement in new[] { MakeValues, MakeFence })
            await connection.ExecuteAsync(warehouse, statement.Replace("{json}", warehouse.JsonType, StringComparison.Ordinal), [], token);
        await transaction.CommitAsync(token);
        return true;
    }

    /// <summary>Raises the slot's fence and writes what changed, or writes nothing at all.</summary>
    public Task<Materialised> WriteAsync(
        DbConnection connection, SeriesKey series, SlotFence fence, (string? From, string To) periods, IReadOnlyList<StoredPoint> points, CancellationToken token) =>
        warehouse.WriteAsync(() => WriteNowAsync(connection, series, fence, periods, points, token), token);

    private async Task<Materialised> WriteNowAsync(
        DbConnection connection, SeriesKey series, SlotFence fence, (string? From, string To) periods, IReadOnlyList<StoredPoint> points, CancellationToken token)
    {
        await using var transaction = await connection.BeginTransactionAsync(token);
        if (await warehouse.RaiseAsync(connection, series.Tenant, fence, token) is var raised and not Materialised.Written)
        {
            await transaction.RollbackAsync(token);
            return raised;
        }
        // Runs of one job, or of two, may write one series at once: a statement sees what was committed before it began.
        await connection.ScalarAsync(warehouse, warehouse.LockSeries, [series.Name], token);
        await InsertChangedAsync(connection, series, fence, periods, points, token);
        await transaction.CommitAsync(token);
        return Materialised.Written;
    }

    // Extensions are no part of the key: jobs that ask for different ones share a point. So a point with the same value
    // keeps what others computed for it, and is revised only where something computed now is new or different; a point
    // with another value starts over, because what others computed belonged to the old one. Comparing extensions as a
    // whole would let two such jobs revise each other's points for ever.
    private const string InsertChanged = """
        INSERT INTO kpi_values (tenant_id, environment, kpi_id, contract_version, scd_view, filters, period, dimensions, metric,
                                revision, value, extensions, attempt, fence_epoch, fence_n)
        WITH written AS (
          SELECT unnest(CAST($8 AS TEXT[])) AS period, unnest(CAST($9 AS TEXT[])) AS dimensions, unnest(CAST($10 AS TEXT[])) AS metric,
                 unnest(CAST($11 AS DOUBLE PRECISION[])) AS value, unnest(CAST($12 AS TEXT[])) AS extensions
        ), point AS (
          SELECT period, CAST(dimensions AS {json}) AS dimensions, metric, value, CAST(extensions AS {json}) AS extensions FROM written
        ), latest AS (
          SELECT DISTINCT ON (period, dimensions, metric) period, dimensions, metric, revision, value, extensions
          FROM kpi_values
          WHERE tenant_id = $1 AND environment = $2 AND kpi_id = $3 AND contract_version = $4 AND scd_view = $5
            AND filters = CAST($6 AS {json}) AND {keys} = $7 AND period >= $13 AND period <= $14
          ORDER BY period, dimensions, metric, revision DESC
        )
        SELECT $1, $2, $3, $4, $5, CAST($6 AS {json}), COALESCE(point.period, latest.period), COALESCE(point.dimensions, latest.dimensions),
               COALESCE(point.metric, latest.metric), COALESCE(latest.revision, 0) + 1, point.value,
               CASE WHEN latest.extensions IS NULL OR point.period IS NULL OR point.value IS DISTINCT FROM latest.value THEN point.extensions ELSE {merged} END,
               $15, $16, $17
        FROM point
        FULL JOIN latest ON latest.period = point.period AND latest.dimensions = point.dimensions AND latest.metric = point.metric
        WHERE CASE WHEN latest.period IS NULL THEN TRUE
                   WHEN point.period IS NULL THEN latest.extensions IS NOT NULL
                   WHEN latest.extensions IS NULL THEN TRUE
                   ELSE point.value IS DISTINCT FROM latest.value OR NOT ({holds}) END
        """;

    private Task<int> InsertChangedAsync(
        DbConnection connection, SeriesKey series, SlotFence fence, (string? From, string To) periods, IReadOnlyList<StoredPoint> points, CancellationToken token) =>
        connection.ExecuteAsync(warehouse, Adapted(InsertChanged),
        [
            series.Tenant, series.Environment, series.KpiId, series.ContractVersion, series.ScdView, series.FiltersJson, series.DimensionNames,
            points.Select(point => point.Period).ToArray(), points.Select(point => point.DimensionsJson).ToArray(),
            points.Select(point => point.Metric).ToArray(), points.Select(point => point.Value).ToArray(), points.Select(point => point.ExtensionsJson).ToArray(),
            periods.From ?? "", periods.To, fence.Attempt, fence.Epoch, fence.Number,
        ], token);

    private const string HasValues = """
        SELECT COUNT(*) FROM (
          SELECT 1 FROM kpi_values
          WHERE tenant_id = $1 AND environment = $2 AND kpi_id = $3 AND contract_version = $4 AND scd_view = $5
            AND filters = CAST($6 AS {json}) AND {keys} = $7 LIMIT 1) AS one
        """;

    /// <summary>Whether a value of the series stands.</summary>
    public async Task<bool> HasValuesAsync(DbConnection connection, SeriesKey series, CancellationToken token) =>
        Convert.ToInt64(await connection.ScalarAsync(warehouse, Adapted(HasValues),
            [series.Tenant, series.Environment, series.KpiId, series.ContractVersion, series.ScdView, series.FiltersJson, series.DimensionNames], token), null) > 0;

    private const string HasKpi = """
        SELECT COUNT(*) FROM (
          SELECT 1 FROM kpi_values
          WHERE tenant_id = $1 AND environment = $2 AND kpi_id = $3 AND contract_version = $4 AND scd_view IN ($5, 'as_reported') LIMIT 1) AS one
        """;

    /// <summary>Whether an upstream KPI has any value that the view may take.</summary>
    public async Task<bool> HasKpiAsync(DbConnection connection, SeriesKey series, string kpiId, string version, CancellationToken token) =>
        Convert.ToInt64(await connection.ScalarAsync(warehouse, HasKpi, [series.Tenant, series.Environment, kpiId, version, series.ScdView], token), null) > 0;

    private const string HasTable = """
        SELECT COUNT(*) FROM information_schema.tables WHERE lower(table_name) = $1
        """;

    public async Task<bool> HasTableAsync(DbConnection connection, string table, CancellationToken token) =>
        Convert.ToInt64(await connection.ScalarAsync(warehouse, HasTable, [table.ToLowerInvariant()], token), null) > 0;

    private string Adapted(string statement) =>
        statement.Replace("{json}", warehouse.JsonType, StringComparison.Ordinal).Replace("{keys}", warehouse.DimensionKeys, StringComparison.Ordinal)
            .Replace("{merged}", warehouse.Merged("latest.extensions", "point.extensions"), StringComparison.Ordinal)
            .Replace("{holds}", warehouse.Holds("latest.extensions", "point.extensions"), StringComparison.Ordinal);
}
