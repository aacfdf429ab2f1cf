using Microsoft.Extensions.Options;
using Npgsql;

namespace KpiControl.Control.Database;

/// <summary>Nothing serves before the schema is this build's: it is migrated here, or a database that is behind is refused.</summary>
internal sealed partial class SchemaGate(IOptions<DatabaseOptions> options, Databases databases, ILogger<SchemaGate> logger) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (options.Value.Migrations.Length > 0)
            await Migrator.MigrateAsync(options.Value.Migrations, cancellationToken);
        await using var connection = await databases.Scheduler.OpenConnectionAsync(cancellationToken);
        await using var command = new NpgsqlCommand(SchemaExists, connection);
        if (await command.ExecuteScalarAsync(cancellationToken) is not true)
            throw new StartupException("The database has no KpiControl schema: set Database:Migrations to its owner's connection string once.");
        await PartitionKeeper.MakeAsync(connection, cancellationToken);
        Log.Ready(logger, connection.Database);
    }

    private const string SchemaExists = "SELECT to_regclass('public.kpi_job_runtime') IS NOT NULL";

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(EventId = 200, Level = LogLevel.Information, Message = "Database {Database} is at this build's schema")]
        public static partial void Ready(ILogger logger, string database);
    }
}
