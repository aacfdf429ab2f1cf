using KpiControl.Control.Database;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>Ends what waited longer than it may, and keeps the list of waiting occurrences complete.</summary>
internal sealed partial class WaitExpirer(WaitStore waits, ReadyStore ready, Dispatcher dispatcher, IOptions<LeaseOptions> options, TimeProvider time, ILogger<WaitExpirer> logger) : BackgroundService
{
    // Between two looks a new occurrence may have begun to wait for less than the next known deadline.
    private static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var relistedAt = 0L;
        while (!stoppingToken.IsCancellationRequested)
        {
            var sleep = LongestSleep;
            try
            {
                if (relistedAt == 0 || time.GetElapsedTime(relistedAt) >= options.Value.PollEvery)
                {
                    relistedAt = time.GetTimestamp();
                    if (await ready.RelistAsync(stoppingToken) > 0)
                        dispatcher.WakeAll();
                }
                var expiry = await waits.ExpireAsync(stoppingToken);
                if (expiry.Ended > 0)
                {
                    Log.Expired(logger, expiry.Ended);
                    dispatcher.WakeAll();
                }
                sleep = expiry.More ? TimeSpan.FromMilliseconds(1) : expiry.NextIn is { } next && next < LongestSleep ? next : LongestSleep;
            }
            catch (Exception error) when (SqlStates.IsOutage(error))
            {
                Log.Away(logger, error.Message);
            }
            await Task.Delay(sleep > TimeSpan.Zero ? sleep : TimeSpan.FromMilliseconds(1), time, stoppingToken);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 365, Level = LogLevel.Information, Message = "{Count} occurrences gave up waiting")]
        public static partial void Expired(ILogger logger, int count);

        [LoggerMessage(EventId = 366, Level = LogLevel.Warning, Message = "Deadlines of waits are not looked at, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}
