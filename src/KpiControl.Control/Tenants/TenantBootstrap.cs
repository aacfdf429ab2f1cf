using Microsoft.Extensions.Options;

namespace KpiControl.Control.Tenants;

/// <summary>Writes the configured tenants before anything serves.</summary>
internal sealed class TenantBootstrap(IOptions<TenantsOptions> options, TenantStore store) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken) =>
        options.Value.Tenants.Count == 0 ? Task.CompletedTask : store.PutAsync(options.Value.Tenants, cancellationToken);

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
