using System.Reflection;
using DbUp;
using DbUp.Engine;
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
        await using var holder = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false, CommandTimeout = 0 }.ConnectionString);
        await holder.OpenAsync(token);
        await using (var take = new NpgsqlCommand("SELECT pg_advisory_lock($1)", holder) { Parameters = { new() { Value = AdvisoryLock } } })
            await take.ExecuteNonQueryAsync(token);

        var result = Upgrader(connectionString).PerformUpgrade();
        if (!result.Successful)
            throw new InvalidOperationException($"Migration {result.ErrorScript?.Name ?? "(none)"} failed: {result.Error.Message}", result.Error);
    }

    /// <summary>The scripts that the database has not seen.</summary>
    public static IReadOnlyList<string> Pending(string connectionString) =>
        Upgrader(connectionString).GetScriptsToExecute().ConvertAll(script => script.Name);

    // Variables are off: a dollar-quoted body is not one.
    private static UpgradeEngine Upgrader(string connectionString) =>
        DeployChanges.To.PostgresqlDatabase(connectionString)
            .WithScriptsEmbeddedInAssembly(Assembly.GetExecutingAssembly(), name => name.EndsWith(".sql", StringComparison.Ordinal))
            .WithVariablesDisabled()
            .WithTransactionPerScript()
            .JournalToPostgresqlTable("public", "kpi_migration")
            .LogToNowhere()
            .Build();
}
