using Npgsql;

namespace KpiControl.Testing;

/// <summary>
/// The test process's PostgreSQL: the one that <c>./dev test</c> shares through <c>KPI_TEST_PG</c> (the superuser's
/// connection string), else a private one. A database is a clone of a template that is migrated once a server.
/// </summary>
public static class PostgresFixture
{
    internal static readonly (string Group, string Login) OwnerLogin = ("kpi_owner", "kpi_test_owner");
    internal static readonly (string Group, string Login) RequestsLogin = ("kpi_requests", "kpi_test_requests");
    internal static readonly (string Group, string Login) SchedulerLogin = ("kpi_scheduler", "kpi_test_scheduler");
    internal static readonly (string Group, string Login) ReaderLogin = ("kpi_reader", "kpi_test_reader");

    private const string SharedServer = "KPI_TEST_PG";

    private static readonly Lazy<Task<string>> Server = new(StartAsync);
    private static int databases;

    /// <summary>The superuser's connection string of the server.</summary>
    public static Task<string> ServerAsync() => Server.Value;

    /// <summary>
    /// Starts a private server with these settings for the whole process; before anything else asks for one. Measurements
    /// need it: the server of tests does not wait for its disk.
    /// </summary>
    public static async Task StartServerAsync(params string[] settings) =>
        Environment.SetEnvironmentVariable(SharedServer, await PrivatePostgres.StartAsync(settings));

    /// <summary>A fresh, migrated database; dispose it to drop it.</summary>
    public static async Task<TestDatabase> CreateDatabaseAsync(CancellationToken token = default)
    {
        var server = await Server.Value;
        return new TestDatabase(server, await CloneAsync(server, TemplateDatabase.Name, token));
    }

    /// <summary>The same on a server of the test's own, whose superuser's connection string is given.</summary>
    public static async Task<TestDatabase> CreateDatabaseAsync(string server, CancellationToken token = default)
    {
        await TemplateDatabase.EnsureAsync(server, token);
        return new TestDatabase(server, await CloneAsync(server, TemplateDatabase.Name, token));
    }

    /// <summary>A fresh database without a single object: for tests of the migrations, and as a warehouse.</summary>
    public static async Task<TestDatabase> CreateEmptyDatabaseAsync(CancellationToken token = default)
    {
        var server = await Server.Value;
        return new TestDatabase(server, await CloneAsync(server, "template0", token));
    }

    internal static string Password(string server) => new NpgsqlConnectionStringBuilder(server).Password!;

    /// <summary>
    /// A superuser's connection. From a pool where it leads to the server of all tests, since to open one takes as much processor as
    /// a quarter of a clone; a server of a test's own may have been killed since the last one.
    /// </summary>
    internal static NpgsqlConnection Admin(string server) =>
        new(Server is { IsValueCreated: true, Value: { IsCompletedSuccessfully: true, Result: var ofAll } } && server == ofAll
            ? server : new NpgsqlConnectionStringBuilder(server) { Pooling = false }.ConnectionString);

    private static async Task<string> StartAsync()
    {
        var server = Environment.GetEnvironmentVariable(SharedServer) is { Length: > 0 } shared
            ? shared
            : await PrivatePostgres.StartAsync();
        await TemplateDatabase.EnsureAsync(server, CancellationToken.None);
        return server;
    }

    private static async Task<string> CloneAsync(string server, string template, CancellationToken token)
    {
        var name = $"kpi_test_{Environment.ProcessId}_{Interlocked.Increment(ref databases)}";
        await using var admin = Admin(server);
        await admin.OpenAsync(token);
        // By files: through the WAL, the default, one clone takes several times the processor.
        await using var create = new NpgsqlCommand(
            $"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY OWNER {OwnerLogin.Group} ENCODING 'UTF8'", admin);
        await create.ExecuteNonQueryAsync(token);
        return name;
    }
}
