using KpiControl.Control.Database;

namespace KpiControl.Control.Requests;

/// <summary>Forgets answers that nobody can ask for again.</summary>
internal sealed partial class RequestRetention(RequestRetentionStore store, TimeProvider time, ILogger<RequestRetention> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await store.ForgetAsync(stoppingToken);
            }
            catch (Exception error) when (SqlStates.IsOutage(error))
            {
                Log.DatabaseAway(logger, error);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 300, Level = LogLevel.Warning, Message = "Old request ids stay a while: the database is away")]
        public static partial void DatabaseAway(ILogger logger, Exception error);
    }
}
