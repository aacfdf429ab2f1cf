using KpiControl.Agent.Connections;
using KpiControl.Agent.Executors;
using KpiControl.Agent.Hosting;
using KpiControl.Agent.Secrets;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Execution;

/// <summary>A connection of this agent.</summary>
/// <param name="Kind"><c>sql</c> or <c>http</c>, as told to control in Hello.</param>
/// <param name="Stages">Those that it can execute; null: <c>kpi</c> alone.</param>
internal sealed record ConnectedExecutor(string Kind, IExecutor Executor, IReadOnlyList<string>? Stages = null);

/// <summary>The agent's connections by conn_id.</summary>
internal sealed class ExecutorTable(IReadOnlyDictionary<string, ConnectedExecutor> connections, ExecutorRegistry? owner = null) : IAsyncDisposable, IDisposable
{
    public IReadOnlyDictionary<string, ConnectedExecutor> Connections { get; } = connections;

    public static ExecutorTable FromFile(IServiceProvider services)
    {
        var file = ConnectionFile.Load(services.GetRequiredService<IOptions<AgentOptions>>().Value.ConnectionsFile);
        var registry = new ExecutorRegistry(file.Connections, services.GetRequiredService<SecretSources>(), services.GetRequiredService<TimeProvider>());
        return new ExecutorTable(registry.Connections.ToDictionary(c => c.Key, c => new ConnectedExecutor(c.Value, registry.For(c.Key)!, registry.Stages[c.Key])), registry);
    }

    public ValueTask DisposeAsync() => owner?.DisposeAsync() ?? ValueTask.CompletedTask;

    // The host is disposed synchronously by `using`.
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();
}
