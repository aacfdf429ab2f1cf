using KpiControl.Control.Database;

namespace KpiControl.Control.Backfills;

/// <summary>Feeds backfills slot by slot, on every node: which of them does it, and whether one dies at it, makes no difference.</summary>
internal sealed partial class BackfillFeeder(FeedStore store, TimeProvider time, ILogger<BackfillFeeder> logger) : PeriodicWork(time)
{
    private static readonly TimeSpan WhenRunning = TimeSpan.FromMilliseconds(40), WhenIdle = TimeSpan.FromMilliseconds(500);

    private bool isRunning;

    protected override TimeSpan Every => isRunning ? WhenRunning : WhenIdle;

    protected override async Task PassAsync(CancellationToken token)
    {
        isRunning = false;
        isRunning = (await store.PassAsync(token)).Running > 0;
    }

    protected override void Away(Exception error) => Log.Away(logger, error.Message);

    private static partial class Log
    {
        [LoggerMessage(EventId = 420, Level = LogLevel.Warning, Message = "Backfills do not go on, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}
