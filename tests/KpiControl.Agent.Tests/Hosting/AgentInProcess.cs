using KpiControl.Agent.Execution;
using KpiControl.Agent.Hosting;
using KpiControl.Agent.Tests.Execution;
using KpiControl.Agent.Tests.Leasing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace KpiControl.Agent.Tests.Hosting;

/// <summary>The real agent, in the test's process, on a scripted executor.</summary>
internal sealed class AgentInProcess : IAsyncDisposable
{
    private readonly IHost host;

    public AgentInProcess(AgentFolder folder, string address, ScriptedExecutor executor, params (string Key, string Value)[] settings)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(folder.Settings(address));
        builder.Configuration.AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value)));
        builder.Logging.AddProvider(Lines);
        builder.Services.AddSingleton(new ExecutorTable(new Dictionary<string, ConnectedExecutor> { ["test"] = new("sql", executor), ["service"] = new("http", executor) }));
        builder.Services.AddAgent();
        host = builder.Build();
    }

    public LogLines Lines { get; } = new();

    public T Get<T>() where T : notnull => host.Services.GetRequiredService<T>();

    public async Task<AgentInProcess> StartAsync()
    {
        await host.StartAsync(Patience.Token());
        return this;
    }

    /// <summary>As SIGTERM does.</summary>
    public Task StopAsync() => host.StopAsync(Patience.Token());

    public async ValueTask DisposeAsync()
    {
        using var atOnce = new CancellationTokenSource(TimeSpan.Zero);
        try
        {
            await host.StopAsync(atOnce.Token);
        }
        catch (OperationCanceledException)
        {
            // It had no time to drain, on purpose.
        }
        host.Dispose();
    }
}
