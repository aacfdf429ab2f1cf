using Npgsql;

namespace KpiControl.Testing;

/// <summary>A copy of a test's database, to be put in its place later, as a restored backup is: processes that use it go on.</summary>
public sealed class DatabaseBackup
{
    private readonly string server;
    private readonly string name;

    private DatabaseBackup(string server, string name) => (this.server, this.name) = (server, name);

    private string Copy => name + "_backup";

    public static async Task<DatabaseBackup> TakeAsync(TestDatabase database)
    {
        var backup = new DatabaseBackup(new NpgsqlConnectionStringBuilder(database.Superuser) { Database = "postgres" }.ConnectionString, database.Name);
        await backup.AloneAsync($"CREATE DATABASE {backup.Copy} TEMPLATE {backup.name}");
        return backup;
    }

    /// <summary>What was written since it was taken is gone.</summary>
    public Task PutBackAsync() => AloneAsync($"DROP DATABASE {name}", $"ALTER DATABASE {Copy} RENAME TO {name}");

    // With nobody else in the database; who is thrown out connects again.
    private async Task AloneAsync(params string[] statements)
    {
        await using var admin = NpgsqlDataSource.Create(server);
        await RunAsync(admin, $"ALTER DATABASE {name} ALLOW_CONNECTIONS false");
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await using (var alone = admin.CreateCommand(
            $"SELECT count(pg_terminate_backend(pid)) = 0 FROM pg_stat_activity, pg_sleep(0.01) WHERE datname = '{name}'"))
            while (!(bool)(await alone.ExecuteScalarAsync(limit.Token))!)
                limit.Token.ThrowIfCancellationRequested();
        foreach (var statement in statements)
            await RunAsync(admin, statement);
        await RunAsync(admin, $"ALTER DATABASE {name} ALLOW_CONNECTIONS true");
    }

    private static async Task RunAsync(NpgsqlDataSource admin, string sql)
    {
        await using var command = admin.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
