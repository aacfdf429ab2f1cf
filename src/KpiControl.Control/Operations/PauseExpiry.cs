using KpiControl.Control.Database;

namespace KpiControl.Control.Operations;

/// <summary>
/// An expired pause resumes by itself, also one that ran out while every node was down. Sleeps until the next one that
/// it knows of; the poll finds those that other nodes took in meanwhile.
/// </summary>
internal sealed partial class PauseExpiry(ExpiryStore store, TimeProvider time, ILogger<PauseExpiry> logger) : BackgroundService
{
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(20);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = Jittered(Poll);
            try
            {
                if (await store.ExpireAsync(stoppingToken) is > 0 and var ended)
                    Log.Resumed(logger, ended);
                if (await store.NextInAsync(stoppingToken) is { } next && next < wait)
                    wait = next > Shortest ? next : Shortest;
            }
            catch (Exception error) when (SqlStates.IsOutage(error))
            {
                Log.DatabaseAway(logger, error);
            }
            await Task.Delay(wait, time, stoppingToken);
        }
    }

    // Many nodes must not all look at the same instant.
    private static TimeSpan Jittered(TimeSpan interval) => interval * (0.75 + (Random.Shared.NextDouble() / 2));

    private static partial class Log
    {
        [LoggerMessage(EventId = 400, Level = LogLevel.Information, Message = "{Ended} pauses ran out")]
        public static partial void Resumed(ILogger logger, int ended);

        [LoggerMessage(EventId = 401, Level = LogLevel.Warning, Message = "Pauses stay a while longer: the database is away")]
        public static partial void DatabaseAway(ILogger logger, Exception error);
    }
}
