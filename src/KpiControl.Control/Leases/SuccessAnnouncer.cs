using System.Threading.Channels;
using KpiControl.Control.Database;
using KpiControl.Control.Signals;

namespace KpiControl.Control.Leases;

/// <summary>Tells the dependencies which bindings succeeded, apart from the recorder, which must not wait for it.</summary>
internal sealed partial class SuccessAnnouncer(DependencyWaits waits, ILogger<SuccessAnnouncer> logger) : BackgroundService
{
    private readonly Channel<long> _bindings = Channel.CreateUnbounded<long>(new UnboundedChannelOptions { SingleReader = true });

    public void Announce(long bindingId) => _bindings.Writer.TryWrite(bindingId);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (await _bindings.Reader.WaitToReadAsync(stoppingToken))
        {
            var batch = new List<long>();
            while (batch.Count < 1000 && _bindings.Reader.TryRead(out var binding))
                batch.Add(binding);
            try
            {
                await waits.KpiSucceededAsync(batch, stoppingToken);
            }
            catch (Exception error) when (SqlStates.IsOutage(error))
            {
                // The dependencies' own sweep looks again.
                Log.Missed(logger, batch.Count, error.Message);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 355, Level = LogLevel.Warning, Message = "{Count} successes could not be announced to those that wait for them: {Error}")]
        public static partial void Missed(ILogger logger, int count, string error);
    }
}
