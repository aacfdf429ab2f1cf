using System.Data.Common;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using KpiControl.Agent.Connections;
using KpiControl.Jobs.Runs;
using Npgsql;

namespace KpiControl.Agent.Executors.Sql;

/// <param name="resolve">The addresses behind the endpoint's name, checked.</param>
internal sealed class PostgresWarehouse(Connection connection, Func<string, CancellationToken, Task<IPAddress[]>> resolve) : IWarehouse
{
    private readonly Uri url = new(connection.Endpoint);

    public PostgresWarehouse(Connection connection) : this(connection, Addresses.ResolveAsync)
    {
    }

    public string Executor => "sql/postgresql";

    public string JsonType => "jsonb";

    public string DimensionKeys => "COALESCE((SELECT string_agg(k, ',' ORDER BY k) FROM jsonb_object_keys(dimensions) AS k), '')";

    public string BeginSnapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

    public string LockSchema => "SELECT pg_advisory_xact_lock(6218341775001)";

    public string DecimalType => "NUMERIC";

    public string LockTable(string table) => $"SELECT pg_advisory_xact_lock(62183417, hashtext('{table}'))";

    public string LockSeries => "SELECT pg_advisory_xact_lock(62183418, hashtext($1))";

    public async Task<long> CopyAsync(DbConnection connection, string table, IReadOnlyList<string> columns, string path, CancellationToken token)
    {
        await using (var copy = await ((NpgsqlConnection)connection).BeginTextImportAsync(
            $"COPY {table} ({string.Join(", ", columns.Select(column => $"\"{column}\""))}) FROM STDIN WITH (FORMAT csv, HEADER true)", token))
        {
            using var file = new StreamReader(path);
            var block = new char[64 * 1024];
            for (int read; (read = await file.ReadBlockAsync(block, token)) > 0;)
                await copy.WriteAsync(block.AsMemory(0, read), token);
        }
        return Convert.ToInt64(await connection.ScalarAsync(this, $"SELECT COUNT(*) FROM {table}", [], token), CultureInfo.InvariantCulture);
    }

    public string Fingerprint(string table) =>
        $"SELECT COUNT(*), CAST(COALESCE(SUM(hashtextextended(CAST(t AS text), 0)), 0) AS text) FROM {table} AS t";

    // The driver is given an address and never the name: a name that is resolved twice may lead elsewhere the second time.
    public async Task<DbConnection> OpenAsync(string? password, CancellationToken token)
    {
        var addresses = await ResolveAsync(token);
        for (var next = 1; ; next++)
            try
            {
                return await OpenAsync(addresses[next - 1], password, token);
            }
            catch (NpgsqlException error) when (error.InnerException is SocketException or TimeoutException && next < addresses.Length)
            {
                // Nobody listens there: the name's next address.
            }
    }

    private async Task<DbConnection> OpenAsync(IPAddress address, string? password, CancellationToken token)
    {
        var opened = new NpgsqlConnection(ConnectionString(address, password))
        {
            // The certificate is the name's.
            SslClientAuthenticationOptionsCallback = tls => tls.TargetHost = url.DnsSafeHost,
        };
        try
        {
            await opened.OpenAsync(token);
            return opened;
        }
        catch
        {
            await opened.DisposeAsync();
            throw;
        }
    }

    public Task<T> WriteAsync<T>(Func<Task<T>> transaction, CancellationToken token) => transaction();

    public DbParameter Parameter(object value) => new NpgsqlParameter { Value = value };

    public string Holds(string whole, string part) => $"{whole} @> {part}";

    public string Merged(string under, string over) => $"{under} || {over}";

    public Failure Explain(DbException error) => error is PostgresException server
        ? new Failure(Meaning(server.SqlState), Words(server))
        : error.GetBaseException() is AuthenticationException
        ? new Failure(RunErrors.Unauthenticated, "the warehouse's certificate is not signed by the connection's root_certificate, or is not for its host")
        : new Failure(RunErrors.SqlError, $"the warehouse cannot be reached or broke the connection: {error.GetBaseException().GetType().Name}");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task<IPAddress[]> ResolveAsync(CancellationToken token)
    {
        try
        {
            return await resolve(url.Host, token);
        }
        catch (SocketException error)
        {
            throw new NpgsqlException("The warehouse's name cannot be resolved", error);
        }
    }

    // Pooling would keep the password and a session for longer than the attempt; a connection costs a few milliseconds.
    private string ConnectionString(IPAddress address, string? password) =>
        new NpgsqlConnectionStringBuilder
        {
            Host = address.ToString(),
            Port = url.Port > 0 ? url.Port : 5432,
            Database = Uri.UnescapeDataString(url.AbsolutePath.Trim('/')),
            Username = connection.User,
            Password = password,
            Pooling = false,
            Timeout = (int)connection.ConnectTimeout.TotalSeconds,
            CommandTimeout = 0,
            SslMode = connection.SslMode ?? (Endpoints.IsLoopback(url) && connection.RootCertificate is null ? SslMode.Prefer : SslMode.VerifyFull),
            RootCertificate = connection.RootCertificate,
            ApplicationName = "kpi-agent",
        }.ConnectionString;

    private static RunError Meaning(string sqlState) => sqlState switch
    {
        PostgresErrorCodes.UndefinedTable => RunErrors.MissingGdp,
        PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected => RunErrors.Conflict,
        PostgresErrorCodes.InsufficientPrivilege => RunErrors.Unauthorized,
        PostgresErrorCodes.QueryCanceled => RunErrors.ExecTimeout,
        _ when sqlState.StartsWith("28", StringComparison.Ordinal) => RunErrors.Unauthenticated,
        _ => RunErrors.SqlError,
    };

    // Class 42 speaks of names and syntax; the words of other classes may quote a row.
    private static string Words(PostgresException error) => error.SqlState.StartsWith("42", StringComparison.Ordinal)
        ? $"PostgreSQL {error.SqlState}: {error.MessageText}"
        : $"PostgreSQL {error.SqlState}: look it up in the warehouse's log";
}
