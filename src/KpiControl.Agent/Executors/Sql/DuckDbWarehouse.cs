using System.Data.Common;
using DuckDB.NET.Data;
using KpiControl.Agent.Connections;
using KpiControl.Jobs.Runs;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>A DuckDB file that this agent alone opens, over files of one directory.</summary>
internal sealed class DuckDbWarehouse(Connection connection) : IWarehouse
{
    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly SemaphoreSlim writer = new(1, 1);
    // The database lives while a connection is open, and its settings with it.
    private DuckDBConnection? anchor;

    public string Executor => "sql/duckdb";

    public string JsonType => "JSON";

    public string DimensionKeys => "array_to_string(list_sort(json_keys(dimensions)), ',')";

    public string BeginSnapshot => "BEGIN TRANSACTION READ ONLY";

    public string LockSchema => "SELECT 1";

    // DECIMAL alone would be DECIMAL(18, 3), and round.
    public string DecimalType => "DECIMAL(38, 10)";

    // Those that write come one after the other anyway.
    public string LockTable(string table) => "SELECT 1";

    // One writer at a time, whatever it writes.
    public string LockSeries => "SELECT $1";

    public async Task<long> CopyAsync(DbConnection database, string table, IReadOnlyList<string> columns, string path, CancellationToken token) =>
        await database.ExecuteAsync(this, $"""
            INSERT INTO {table} SELECT * FROM read_csv('{Quoted(path)}', auto_detect = false, header = true, delim = ',', quote = '"', escape = '"',
              nullstr = '', allow_quoted_nulls = false, columns = {OfText(columns)})
            """, [], token);

    private static string OfText(IEnumerable<string> columns) => $"{{{string.Join(", ", columns.Select(column => $"'{column}': 'VARCHAR'"))}}}";

    public string Fingerprint(string table) => $"SELECT COUNT(*), CAST(COALESCE(SUM(hash(t)), 0) AS VARCHAR) FROM {table} AS t";

    public async Task<DbConnection> OpenAsync(string? password, CancellationToken token)
    {
        await gate.WaitAsync(token);
        try
        {
            anchor ??= Prepare();
        }
        finally
        {
            gate.Release();
        }
        return Connect();
    }

    // DuckDB checks for conflicts row by row only at the end: of two that write at once, one has done its work for nothing.
    public async Task<T> WriteAsync<T>(Func<Task<T>> transaction, CancellationToken token)
    {
        await writer.WaitAsync(token);
        try
        {
            return await transaction();
        }
        finally
        {
            writer.Release();
        }
    }

    // JSON is text here: members are compared and put together as they were written, and the agent writes them one way.
    public string Holds(string whole, string part) =>
        $"len(list_filter(json_keys({part}), lambda k: json_extract({whole}, '$.' || k) IS DISTINCT FROM json_extract({part}, '$.' || k))) = 0";

    public string Merged(string under, string over) => $$"""
        CAST('{' || array_to_string(list_transform(list_sort(list_distinct(list_concat(json_keys({{under}}), json_keys({{over}})))),
          lambda k: '"' || k || '":' || CAST(COALESCE(json_extract({{over}}, '$.' || k), json_extract({{under}}, '$.' || k)) AS VARCHAR)), ',') || '}' AS JSON)
        """;

    // In process a list is a list; the shared code passes arrays, which PostgreSQL needs.
    public DbParameter Parameter(object value) => new DuckDBParameter(value switch
    {
        string?[] texts => texts.ToList(),
        double?[] numbers => numbers.ToList(),
        _ => value,
    });

    public Failure Explain(DbException error) => error.Message switch
    {
        var text when text.Contains("No files found", StringComparison.Ordinal) || text.Contains("Table with name", StringComparison.Ordinal)
            => new Failure(RunErrors.MissingGdp, Words(text)),
        var text when text.StartsWith("Permission Error", StringComparison.Ordinal) => new Failure(RunErrors.Unauthorized, Words(text)),
        var text when text.Contains("write-write conflict", StringComparison.OrdinalIgnoreCase) || text.StartsWith("TransactionContext Error", StringComparison.Ordinal)
            || text.StartsWith("Constraint Error", StringComparison.Ordinal) => new Failure(RunErrors.Conflict, "DuckDB: another transaction wrote the same rows"),
        var text => new Failure(RunErrors.SqlError, Words(text)),
    };

    public ValueTask DisposeAsync()
    {
        anchor?.Dispose();
        gate.Dispose();
        writer.Dispose();
        return ValueTask.CompletedTask;
    }

    private DuckDBConnection Prepare()
    {
        var first = Connect();
        try
        {
            Run(first, Confine());
            if (connection.InitScript is { } script)
                Run(first, File.ReadAllText(script).Replace("${data_directory}", Quoted(connection.DataDirectory ?? ""), StringComparison.Ordinal));
            return first;
        }
        catch
        {
            first.Dispose();
            throw;
        }
    }

    // DuckDB 1.5.6 fails on `ROW_NUMBER() … = 1` over a filter with bound dates ("Failed to cast expression to type"):
    // the optimizer that rewrites it is off. How a revision is picked depends on such a query.
    // A contract's SQL may read the files of the data directory, and nothing else of this machine or of the network.
    private string Confine() => $"""
        SET disabled_optimizers = 'top_n_window_elimination';
        SET autoinstall_known_extensions = false;
        SET autoload_known_extensions = false;
        SET allowed_directories = [{(connection.DataDirectory is { } directory ? $"'{Quoted(directory)}'" : "")}];
        SET enable_external_access = false;
        SET lock_configuration = true;
        """;

    private DuckDBConnection Connect()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(connection.Endpoint)!);
        var opened = new DuckDBConnection($"Data Source={connection.Endpoint}");
        opened.Open();
        return opened;
    }

    private static void Run(DuckDBConnection database, string sql)
    {
        using var command = database.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static string Quoted(string path) => path.Replace("'", "''", StringComparison.Ordinal);

    // The first line names what is missing or wrong; only errors about names and syntax are free of data.
    private static string Words(string message)
    {
        var line = message.Split('\n')[0].Trim();
        return line.StartsWith("Conversion", StringComparison.Ordinal) || line.StartsWith("Invalid Input", StringComparison.Ordinal)
            ? $"DuckDB: {line.Split(':')[0]}" : $"DuckDB: {line}";
    }
}
