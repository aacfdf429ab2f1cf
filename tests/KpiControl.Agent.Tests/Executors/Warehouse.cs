using DuckDB.NET.Data;
using KpiControl.Agent.Connections;
using KpiControl.Agent.Executors;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Agent.Tests.Executors;

/// <summary>A sample warehouse of one engine over one data directory, with the executor of a connection to it.</summary>
internal sealed class Warehouse : IAsyncDisposable
{
    private readonly ExecutorRegistry registry;
    private readonly Func<ValueTask> drop;

    private Warehouse(Connection connection, Func<string, Task<List<object?[]>>> query, Func<ValueTask> drop)
    {
        registry = new ExecutorRegistry([connection], new KpiControl.Agent.Secrets.SecretsInHand(), TimeProvider.System);
        (Query, this.drop) = (query, drop);
    }

    /// <summary>PostgreSQL's, for what a test holds while a run goes on; null for DuckDB.</summary>
    public TestDatabase? Database { get; private init; }

    /// <summary>PostgreSQL's; null for DuckDB.</summary>
    public string? Password { get; private init; }

    /// <summary>Takes changed files in; DuckDB's views read them anyway.</summary>
    public Func<string, Task> ReloadAsync { get; private init; } = _ => Task.CompletedTask;

    public IExecutor Executor => registry.For("default")!;

    /// <summary>Runs a statement beside the executor and returns its rows.</summary>
    public Func<string, Task<List<object?[]>>> Query { get; }

    public static async Task<Warehouse> CreateAsync(string engine, string data) =>
        engine == "postgresql" ? await PostgresAsync(data) : DuckDb(data);

    public Task<Outcome> RunAsync(string job, string businessDate) =>
        Executor.ExecuteAsync(Samples.Lease(job, businessDate, slot: $"manual:{Guid.NewGuid()}"), default, default);

    public async ValueTask DisposeAsync()
    {
        await registry.DisposeAsync();
        await drop();
    }

    private static async Task<Warehouse> PostgresAsync(string data)
    {
        var database = await PostgresFixture.CreateEmptyDatabaseAsync();
        await using (var connection = await database.OpenAsync())
            await LoadAsync(connection, data);
        var parts = new NpgsqlConnectionStringBuilder(database.Superuser);
        var variable = $"KPI_TEST_WAREHOUSE_{database.Name}";
        Environment.SetEnvironmentVariable(variable, parts.Password);
        return new Warehouse(
            new Connection
            {
                ConnId = "default", Driver = Driver.PostgreSql, Endpoint = $"postgresql://{parts.Host}:{parts.Port}/{database.Name}", User = parts.Username,
                Credential = new Agent.Secrets.SecretReference("env", variable), ReportPoints = 5000, FingerprintSources = true, DataDirectory = data,
            },
            async sql =>
            {
                await using var connection = await database.OpenAsync();
                await using var command = new NpgsqlCommand(sql, connection);
                await using var reader = await command.ExecuteReaderAsync();
                var rows = new List<object?[]>();
                while (await reader.ReadAsync())
                    rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(index => reader.IsDBNull(index) ? null : reader.GetValue(index))]);
                return rows;
            },
            database.DisposeAsync)
        {
            Database = database,
            Password = parts.Password,
            ReloadAsync = async changed =>
            {
                await using var connection = await database.OpenAsync();
                await LoadAsync(connection, changed);
            },
        };
    }

    private static async Task LoadAsync(NpgsqlConnection connection, string data)
    {
        await using (var make = new NpgsqlCommand(await File.ReadAllTextAsync(Repository.File("samples", "warehouse", "postgresql.sql")), connection))
            await make.ExecuteNonQueryAsync();
        foreach (var (table, file) in new[]
        {
            ("gdp_electricitygeneration", "iowa-electricity"), ("gdp_employment", "us-employment"), ("gdp_unemployment", "unemployment-across-industries"),
            ("gdp_flights", "flights-5k"), ("gdp_receivables", "receivables"), ("gdp_sales", "sales"),
        })
        {
            await using var copy = await connection.BeginTextImportAsync($"COPY {table} FROM STDIN WITH (FORMAT csv, HEADER true)");
            await copy.WriteAsync(await File.ReadAllTextAsync(Path.Combine(data, file + ".csv")));
        }
        await using var commit = new NpgsqlCommand("COMMIT", connection);
        await commit.ExecuteNonQueryAsync();
    }

    private static Warehouse DuckDb(string data)
    {
        var directory = Directory.CreateTempSubdirectory("kpi-duckdb-");
        var file = Path.Combine(directory.FullName, "warehouse.duckdb");
        return new Warehouse(
            new Connection
            {
                ConnId = "default", Driver = Driver.DuckDb, Endpoint = file, DataDirectory = data,
                InitScript = Repository.File("samples", "warehouse", "duckdb.sql"), ReportPoints = 5000, FingerprintSources = true,
            },
            sql =>
            {
                using var connection = new DuckDBConnection($"Data Source={file}");
                connection.Open();
                using var command = connection.CreateCommand();
                command.CommandText = sql;
                using var reader = command.ExecuteReader();
                var rows = new List<object?[]>();
                while (reader.Read())
                    rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(index => reader.IsDBNull(index) ? null : reader.GetValue(index))]);
                return Task.FromResult(rows);
            },
            () =>
            {
                directory.Delete(recursive: true);
                return ValueTask.CompletedTask;
            });
    }
}
