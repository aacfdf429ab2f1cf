using System.Data.Common;
using System.Globalization;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Agent.Executors.Sql.Stages;

/// <summary>A table as it stands in the warehouse.</summary>
internal sealed record TableShape(bool IsView, IReadOnlyList<(string Name, string Type)> Columns);

/// <summary>Landing, raw and GDP tables on a warehouse. Names are those that contracts may have, so that both engines take them as they stand.</summary>
internal sealed class TableStore(IWarehouse warehouse)
{
    private const string ColumnsSql = """
        SELECT t.table_type, c.column_name, lower(c.data_type) FROM information_schema.tables t
        JOIN information_schema.columns c ON c.table_schema = t.table_schema AND c.table_name = t.table_name
        WHERE t.table_schema = current_schema() AND lower(t.table_name) = $1 ORDER BY c.ordinal_position
        """;

    /// <summary>Null where there is none.</summary>
    public async Task<TableShape?> ShapeAsync(DbConnection connection, string table, CancellationToken token)
    {
        var (isView, columns) = (false, new List<(string, string)>());
        await using var command = connection.Command(warehouse, ColumnsSql, [table.ToLowerInvariant()]);
        await using var reader = await command.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
        {
            isView = reader.GetString(0) != "BASE TABLE";
            columns.Add((reader.GetString(1), reader.GetString(2)));
        }
        return columns.Count == 0 ? null : new TableShape(isView, columns);
    }

    /// <summary>Raises the fence and runs what fills the table, in one transaction: readers see all of it, or none.</summary>
    /// <param name="fill">Null: done. Otherwise nothing is changed.</param>
    public Task<(Materialised Became, Failure? Failure)> ReplaceAsync(
        DbConnection connection, string tenant, SlotFence fence, string table, Func<Task<Failure?>> fill, CancellationToken token) => warehouse.WriteAsync(async () =>
    {
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.ScalarAsync(warehouse, warehouse.LockTable(table.ToLowerInvariant()), [], token);
        var raised = await warehouse.RaiseAsync(connection, tenant, fence, token);
        var failure = raised == Materialised.Written ? await fill() : null;
        if (raised != Materialised.Written || failure is not null)
            await transaction.RollbackAsync(token);
        else
            await transaction.CommitAsync(token);
        return (raised, failure);
    }, token);

    /// <summary>A landing table anew, with the file's cells as text.</summary>
    public async Task<long> LandAsync(DbConnection connection, DatasetContract contract, string path, CancellationToken token)
    {
        var table = Quoted(Landing(contract.Dataset));
        await connection.ExecuteAsync(warehouse, $"DROP TABLE IF EXISTS {table}", [], token);
        await connection.ExecuteAsync(warehouse, $"CREATE TABLE {table} ({string.Join(", ", contract.Columns.Select(column => $"{Quoted(column.Name)} TEXT"))})", [], token);
        return await warehouse.CopyAsync(connection, table, [.. contract.Columns.Select(column => column.Name)], path, token);
    }

    public Task MakeAsync(DbConnection connection, DatasetContract contract, CancellationToken token) =>
        connection.ExecuteAsync(warehouse, $"CREATE TABLE IF NOT EXISTS {Quoted(contract.Dataset)} ({string.Join(", ", contract.Columns.Select(column => $"{Quoted(column.Name)} {TypeOf(column)}"))})", [], token);

    // Row by row, not TRUNCATE: a reader's snapshot stays whole, and no more is needed than the right to delete and insert.
    public Task<int> ClearAsync(DbConnection connection, DatasetContract contract, RowRange? range, CancellationToken token) =>
        connection.ExecuteAsync(warehouse, $"DELETE FROM {Quoted(contract.Dataset)}{Where(range)}", Bounds(range), token);

    /// <param name="source">A table, or a SELECT in brackets.</param>
    public Task<int> FillAsync(DbConnection connection, DatasetContract contract, string source, RowRange? range, CancellationToken token) =>
        connection.ExecuteAsync(warehouse,
            $"INSERT INTO {Quoted(contract.Dataset)} ({string.Join(", ", contract.Columns.Select(column => Quoted(column.Name)))}) {Select(contract, source)}{Where(range)}", Bounds(range), token);

    /// <summary>Whether the engine understands the SELECT, and it returns the columns; nothing of it is run.</summary>
    public Task CheckAsync(DbConnection connection, DatasetContract contract, string source, CancellationToken token) =>
        connection.ScalarAsync(warehouse, $"{Select(contract, source)} LIMIT 0", [], token);

    /// <summary>How many keys stand twice or have an empty part.</summary>
    public async Task<long> BrokenKeysAsync(DbConnection connection, DatasetContract contract, CancellationToken token)
    {
        if (contract.PrimaryKey.Count == 0)
            return 0;
        var (table, key) = (Quoted(contract.Dataset), string.Join(", ", contract.PrimaryKey.Select(Quoted)));
        return Number(await connection.ScalarAsync(warehouse, $"""
            SELECT (SELECT COUNT(*) FROM (SELECT {key} FROM {table} GROUP BY {key} HAVING COUNT(*) > 1) AS twice)
                 + (SELECT COUNT(*) FROM {table} WHERE {string.Join(" OR ", contract.PrimaryKey.Select(column => $"{Quoted(column)} IS NULL"))})
            """, [], token));
    }

    /// <summary>The day of the latest row; null where there is none.</summary>
    public async Task<DateOnly?> LatestAsync(DbConnection connection, DatasetContract contract, CancellationToken token) =>
        await connection.ScalarAsync(warehouse, $"SELECT MAX(CAST({Quoted(contract.Through!.Column)} AS DATE)) FROM {Quoted(contract.Dataset)}", [], token) switch
        {
            DateOnly day => day,
            DateTime instant => DateOnly.FromDateTime(instant),
            _ => null,
        };

    public async Task<long> CountAsync(DbConnection connection, string table, CancellationToken token) =>
        Number(await connection.ScalarAsync(warehouse, $"SELECT COUNT(*) FROM {Quoted(table)}", [], token));

    /// <summary><c>rows:722</c>, and the hash of the rows where it is asked for.</summary>
    public async Task<string> VersionAsync(DbConnection connection, string table, bool fingerprint, CancellationToken token)
    {
        if (!fingerprint)
            return $"rows:{await CountAsync(connection, table, token)}";
        await using var command = connection.Command(warehouse, warehouse.Fingerprint(Quoted(table)), []);
        await using var reader = await command.ExecuteReaderAsync(token);
        await reader.ReadAsync(token);
        return $"rows:{reader.GetInt64(0)} hash:{reader.GetString(1)}";
    }

    /// <summary>Where a file lands before its cells have types.</summary>
    public static string Landing(string table) => $"{table}__landing";

    public static string Quoted(string name) => $"\"{name.ToLowerInvariant()}\"";

    /// <summary>Whether a column is of the type that a contract says, in the words of either engine.</summary>
    public static bool IsOfType(ContractField field, string engineType) => field.DataType switch
    {
        "VARCHAR" => engineType is "text" or "varchar" or "character varying",
        "DOUBLE" => engineType is "double" or "double precision",
        "DECIMAL" => engineType is "numeric" || engineType.StartsWith("decimal", StringComparison.Ordinal),
        "TIMESTAMP" => engineType is "timestamp" or "timestamp without time zone",
        var other => engineType.Equals(other, StringComparison.OrdinalIgnoreCase),
    };

    private string TypeOf(ContractField field) => field.DataType switch { "VARCHAR" => "TEXT", "DOUBLE" => "DOUBLE PRECISION", "DECIMAL" => warehouse.DecimalType, var same => same };

    private string Select(DatasetContract contract, string source) =>
        $"SELECT {string.Join(", ", contract.Columns.Select(column => $"CAST({Quoted(column.Name)} AS {TypeOf(column)}) AS {Quoted(column.Name)}"))} FROM {source} AS built";

    private static string Where(RowRange? range) => range is null ? "" : $" WHERE {Quoted(range.Column)} >= $1 AND {Quoted(range.Column)} < $2";

    private static object[] Bounds(RowRange? range) => range is null ? [] : [range.From, range.To];

    private static long Number(object? value) => Convert.ToInt64(value, CultureInfo.InvariantCulture);
}

/// <summary>Rows of a window: from a day up to another that is no part of it.</summary>
internal sealed record RowRange(string Column, DateOnly From, DateOnly To);
