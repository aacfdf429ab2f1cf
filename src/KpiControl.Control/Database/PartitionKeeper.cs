using Microsoft.Extensions.Options;
using Npgsql;

namespace KpiControl.Control.Database;

/// <summary>
/// Makes the months that history, evidence and audit will be written to, three ahead: a node that is not restarted for longer
/// than that would find nowhere to record what runs.
/// </summary>
internal sealed partial class PartitionKeeper(Databases databases, IOptions<DatabaseOptions> options, TimeProvider time, ILogger<PartitionKeeper> logger) : PeriodicWork(time)
{
    private const string MakePartitions = "SELECT kpi_make_partitions(3)";

    // A new month locks its table as a whole for an instant: whoever reads for long must not have everybody wait behind it.
    private const string LockTimeout = "SET lock_timeout = '2s'";

    protected override TimeSpan Every => options.Value.PartitionsEvery;

    /// <returns>How many were made.</returns>
    public static async Task<int> MakeAsync(NpgsqlConnection connection, CancellationToken token)
    {
        await using var command = new NpgsqlCommand(MakePartitions, connection);
        return await command.ExecuteScalarAsync(token) is int made ? made : 0;
    }

    protected override async Task PassAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await using (var patience = new NpgsqlCommand(LockTimeout, connection))
            await patience.ExecuteNonQueryAsync(token);
        try
        {
            if (await MakeAsync(connection, token) is > 0 and var made)
                Log.Made(logger, made);
        }
        catch (PostgresException busy) when (busy.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            Log.Busy(logger);
        }
    }

    protected override void Away(Exception error) => Log.Away(logger, error.Message);

    private static partial class Log
    {
        [LoggerMessage(EventId = 210, Level = LogLevel.Information, Message = "{Count} partitions were made ahead")]
        public static partial void Made(ILogger logger, int count);

        [LoggerMessage(EventId = 212, Level = LogLevel.Warning, Message = "Partitions are not made ahead, a table is in use: the next look tries again")]
        public static partial void Busy(ILogger logger);

        [LoggerMessage(EventId = 211, Level = LogLevel.Warning, Message = "Partitions are not made ahead, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}
