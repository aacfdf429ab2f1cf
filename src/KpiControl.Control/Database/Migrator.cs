using System.Reflection;
using DbUp;
using DbUp.Engine;
using DbUp.Postgresql;
using Npgsql;

namespace KpiControl.Control.Database;

/// <summary>Brings a database up to this build: forward only, one node at a time.</summary>
internal static class Migrator
{
    /// <summary>Any number, the same in every build: racing nodes migrate one after the other.</summary>
    private const long AdvisoryLock = 0x4B50_4943_5452_4C00;

    /// <exception cref="InvalidOperationException">A script failed; nothing of it was kept.</exception>
    public static async Task MigrateAsync(string connectionString, CancellationToken token)
    {
        // Not pooled: a pool keeps the session, and with it the lock, after the connection is given back.
        await using var alone = Source(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false, CommandTimeout = 0 }.ConnectionString);
        await using var holder = await alone.OpenConnectionAsync(token);
        await using (var take = new NpgsqlCommand("SELECT pg_advisory_lock($1)", holder) { Parameters = { new() { Value = AdvisoryLock } } })
            await take.ExecuteNonQueryAsync(token);

        await using var source = Source(connectionString);
        var result = Upgrader(source).PerformUpgrade();
        if (!result.Successful)
            throw new InvalidOperationException($"Migration {result.ErrorScript?.Name ?? "(none)"} failed: {result.Error.Message}", result.Error);
    }

    /// <summary>The scripts that the database has not seen.</summary>
    public static IReadOnlyList<string> Pending(string connectionString)
    {
        using var source = Source(connectionString);
        return Upgrader(source).GetScriptsToExecute().ConvertAll(script => script.Name);
    }

    // With a name, as the pools of Databases have one, and gone when the work is done: metrics would tell the connection string's user.
    private static NpgsqlDataSource Source(string connectionString) => new NpgsqlDataSourceBuilder(connectionString) { Name = "kpi-migrations" }.Build();

    // Variables are off: a dollar-quoted body is not one.
    private static UpgradeEngine Upgrader(NpgsqlDataSource source) =>
        DeployChanges.To.PostgresqlDatabase(new PostgresqlConnectionManager(source))
            .WithScriptsEmbeddedInAssembly(Assembly.GetExecutingAssembly(), name => name.EndsWith(".sql", StringComparison.Ordinal))
            .WithVariablesDisabled()
            .WithTransactionPerScript()
            .JournalToPostgresqlTable("public", "kpi_migration")
            .LogToNowhere()
            .Build();
}
