using KpiControl.Testing;

namespace KpiControl.Control.Tests.Leases;

/// <summary>Keeps agents heard until disposed.</summary>
public sealed class PeriodicHeartbeat : IDisposable
{
    private readonly Timer _timer;

    public PeriodicHeartbeat(params TestAgent[] agents) =>
        _timer = new Timer(_ =>
        {
            foreach (var agent in agents)
                agent.HeartbeatAsync().ContinueWith(_ => { }, TaskScheduler.Default);
        }, null, TimeSpan.Zero, TimeSpan.FromMilliseconds(300));

    public void Dispose() => _timer.Dispose();
}
