using System.Threading.Channels;
using KpiControl.Control.Database;
using KpiControl.Control.Signals;

namespace KpiControl.Control.Leases;

/// <summary>Tells the dependencies which bindings succeeded and which tables were refreshed, apart from the recorder, which must not wait for it.</summary>
internal sealed partial class SuccessAnnouncer(DependencyWaits waits, ILogger<SuccessAnnouncer> logger) : BackgroundService
{
    private readonly Channel<News> _news = Channel.CreateUnbounded<News>(new UnboundedChannelOptions { SingleReader = true });

    public void Announce(long bindingId) => _news.Writer.TryWrite(new News(bindingId, null));

    public void Announce(IReadOnlyList<BuiltTable> built)
    {
        foreach (var table in built)
            _news.Writer.TryWrite(new News(0, table));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (await _news.Reader.WaitToReadAsync(stoppingToken))
        {
            var batch = new List<News>();
            while (batch.Count < 1000 && _news.Reader.TryRead(out var news))
                batch.Add(news);
            try
            {
                if (batch.Where(news => news.Built is null).Select(news => news.BindingId).ToList() is { Count: > 0 } succeeded)
                    await waits.KpiSucceededAsync(succeeded, stoppingToken);
                foreach (var table in batch.Select(news => news.Built).OfType<BuiltTable>().DistinctBy(table => (table.Tenant, table.Environment, table.Region, table.Dataset)))
                    await waits.PublishedAsync("gdp", table.Tenant, table.Environment, table.Region, table.Dataset, stoppingToken);
            }
            catch (Exception error) when (SqlStates.IsOutage(error))
            {
                // The dependencies' own sweep looks again.
                Log.Missed(logger, batch.Count, error.Message);
            }
        }
    }

    /// <param name="Built">Null: the binding succeeded.</param>
    private readonly record struct News(long BindingId, BuiltTable? Built);

    private static partial class Log
    {
        [LoggerMessage(EventId = 355, Level = LogLevel.Warning, Message = "{Count} successes and refreshes could not be announced to those that wait for them: {Error}")]
        public static partial void Missed(ILogger logger, int count, string error);
    }
}
