using Microsoft.Extensions.Options;

namespace KpiControl.Control.Signals;

/// <summary>Publishes and successes wake by themselves; what a crash between two commits left is found by this slow pass.</summary>
internal sealed partial class DependencySweeper(
    DependencyWaits waits, IOptions<SignalOptions> options, TimeProvider time, ILogger<DependencySweeper> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await waits.SweepAsync(stoppingToken);
            }
            catch (Exception error) when (!stoppingToken.IsCancellationRequested)
            {
                Log.Failed(logger, error);
            }
            // Jitter, or the nodes of a deployment look all at once.
            await Task.Delay(options.Value.SweepEvery * (0.75 + Random.Shared.NextDouble() / 2), time, stoppingToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 500, Level = LogLevel.Warning, Message = "The sweep of waiting occurrences failed; it is tried again")]
        public static partial void Failed(ILogger logger, Exception error);
    }
}
