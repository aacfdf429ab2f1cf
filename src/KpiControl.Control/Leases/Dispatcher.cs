using System.Collections.Concurrent;
using KpiControl.Control.Database;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>One dispatch loop a region, for every region that has lanes.</summary>
internal sealed partial class Dispatcher(SessionStore sessions, RegionWork work, IOptions<LeaseOptions> options, TimeProvider time, ILogger<Dispatcher> logger) : BackgroundService
{
    private readonly ConcurrentDictionary<string, RegionDispatcher> _regions = new();
    private readonly ConcurrentDictionary<short, RegionDispatcher> _byLane = new();
    private readonly WakeSignal _newLane = new(time);

    public void CreditArrived(string region)
    {
        if (_regions.TryGetValue(region, out var dispatcher))
            dispatcher.CreditArrived();
    }

    /// <summary>A session opened that may be able to run what was left: of a tenant or with a connection that nobody had.</summary>
    public void SessionOpened(string region)
    {
        if (_regions.TryGetValue(region, out var dispatcher))
            dispatcher.LookEverywhere();
    }

    public void CursorMovedBack(short lane) => Tell(lane, d => d.CursorMovedBack(lane));

    public void Queued(short lane) => Tell(lane, d => d.Queued(lane));

    /// <summary>A binding became free and more of it queues: in its own lane, or in the one for slots that are caught up with.</summary>
    public void QueuedBehind(short lane) => Tell(lane, d => d.QueuedAnywhere());

    /// <summary>Leases of these lanes came back: they are ready, and what was ended by it may have others queue behind it.</summary>
    public void CameBack(IEnumerable<short> lanes)
    {
        foreach (var lane in lanes.Distinct())
        {
            Ready(lane);
            Aside(lane);
            QueuedBehind(lane);
        }
    }

    /// <summary>One that stands aside is to be tried again.</summary>
    public void Aside(short lane) => Tell(lane, d => d.Aside(lane));

    public void Ready(short lane) => Tell(lane, d => d.Ready(lane));

    public void WakeAll()
    {
        foreach (var region in _regions.Values)
            region.LookEverywhere();
        _newLane.Ring();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var loops = new List<Task>();
        try
        {
            while (true)
            {
                await FindLanesAsync(loops, stoppingToken);
                await _newLane.WaitAsync(options.Value.PollEvery, stoppingToken);
            }
        }
        finally
        {
            await Task.WhenAll(loops).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task FindLanesAsync(List<Task> loops, CancellationToken token)
    {
        try
        {
            foreach (var lane in await sessions.LanesAsync(token))
            {
                var region = _regions.GetOrAdd(lane.Region, name =>
                {
                    var started = new RegionDispatcher(name, work, time);
                    loops.Add(started.RunAsync(token));
                    return started;
                });
                region.Add(lane);
                _byLane[lane.Number] = region;
            }
        }
        catch (Exception error) when (SqlStates.IsOutage(error))
        {
            Log.Away(logger, error.Message);
        }
    }

    // A lane that this node has not met yet was made just now.
    private void Tell(short lane, Action<RegionDispatcher> what)
    {
        if (_byLane.TryGetValue(lane, out var region))
            what(region);
        else
            _newLane.Ring();
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 330, Level = LogLevel.Warning, Message = "Lanes could not be read: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}
