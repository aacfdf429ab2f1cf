using KpiControl.Control.Database;

namespace KpiControl.Control.Backfills;

/// <summary>Feeds backfills slot by slot, on every node: which of them does it, and whether one dies at it, makes no difference.</summary>
internal sealed partial class BackfillFeeder(FeedStore store, TimeProvider time, ILogger<BackfillFeeder> logger) : BackgroundService
{
    private static readonly TimeSpan WhenRunning = TimeSpan.FromMilliseconds(40), WhenIdle = TimeSpan.FromMilliseconds(500);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = WhenIdle;
            try
            {
                wait = (await store.PassAsync(stoppingToken)).Running > 0 ? WhenRunning : WhenIdle;
            }
            catch (Exception error) when (SqlStates.IsOutage(error))
            {
                Log.Away(logger, error.Message);
            }
            await Task.Delay(wait, time, stoppingToken);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 420, Level = LogLevel.Warning, Message = "Backfills do not go on, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}
