using KpiControl.Control.Database;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>
/// Looks after this node's streams in what the database has of them: when told, at each poll, and soon again where the database was away.
/// </summary>
internal abstract class StreamWatch(SessionRegistry sessions, IOptions<LeaseOptions> options, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan AfterOutage = TimeSpan.FromSeconds(1);
    private readonly WakeSignal _news = new(time);

    public void Look() => _news.Ring();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
            await _news.WaitAsync(await LookedAsync(stoppingToken) ? options.Value.PollEvery : AfterOutage, stoppingToken);
    }

    /// <param name="open">Those whose stream is here; never none.</param>
    protected abstract Task LookAsync(IReadOnlyList<AgentSession> open, CancellationToken token);

    protected abstract void Away(Exception error);

    private async Task<bool> LookedAsync(CancellationToken token)
    {
        var open = sessions.All.Where(s => s.IsAttached).ToList();
        try
        {
            if (open.Count > 0)
                await LookAsync(open, token);
            return true;
        }
        catch (Exception error) when (SqlStates.IsOutage(error))
        {
            Away(error);
            return false;
        }
    }
}
