using System.Data.Common;
using System.Net.Sockets;
using System.Security.Authentication;
using KpiControl.Agent.Connections;
using KpiControl.Jobs.Runs;
using Npgsql;

namespace KpiControl.Agent.Executors.Sql;

internal sealed class PostgresWarehouse(Connection connection) : IWarehouse
{
    public string Executor => "sql/postgresql";

    public string JsonType => "jsonb";

    public string DimensionKeys => "COALESCE((SELECT string_agg(k, ',' ORDER BY k) FROM jsonb_object_keys(dimensions) AS k), '')";

    public string BeginSnapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

    public string LockSchema => "SELECT pg_advisory_xact_lock(6218341775001)";

    public string Fingerprint(string table) =>
        $"SELECT COUNT(*), CAST(COALESCE(SUM(hashtextextended(CAST(t AS text), 0)), 0) AS text) FROM {table} AS t";

    public async Task<DbConnection> OpenAsync(string? password, CancellationToken token)
    {
        await CheckAddressAsync(new Uri(connection.Endpoint).Host, token);
        var opened = new NpgsqlConnection(ConnectionString(password));
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

    // The driver resolves the name again; one that cannot be resolved is the driver's to report.
    private static async Task CheckAddressAsync(string host, CancellationToken token)
    {
        try
        {
            await Addresses.ResolveAsync(host, token);
        }
        catch (SocketException)
        {
        }
    }

    // Pooling would keep the password and a session for longer than the attempt; a connection costs a few milliseconds.
    private string ConnectionString(string? password)
    {
        var url = new Uri(connection.Endpoint);
        return new NpgsqlConnectionStringBuilder
        {
            Host = url.Host,
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
    }

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
