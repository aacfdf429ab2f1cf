using Microsoft.Extensions.Options;

namespace KpiControl.Control.Drift;

/// <summary>Writes the configured stores before anything serves.</summary>
internal sealed class StoreBootstrap(IOptions<DriftOptions> options, SyncStateStore states) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken) => states.PutAsync(options.Value.Stores, cancellationToken);

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
