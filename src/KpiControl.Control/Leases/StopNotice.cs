using KpiControl.Protocol.V1;

namespace KpiControl.Control.Leases;

/// <summary>Before this node stops, its agents are asked to connect elsewhere; their sessions survive the move.</summary>
internal sealed class StopNotice(SessionRegistry sessions) : IHostedLifecycleService
{
    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        foreach (var session in sessions.All)
            session.Close(new ControlMessage { Reconnect = new Reconnect { Reason = "This control node is stopping." } });
        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
