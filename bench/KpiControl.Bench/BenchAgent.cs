using KpiControl.Agent.Execution;
using KpiControl.Agent.Hosting;
using KpiControl.Agent.Outbox;
using KpiControl.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace KpiControl.Bench;

/// <summary>The real agent, its outbox on disk; only its executor is the bench's.</summary>
internal sealed class BenchAgent : IAsyncDisposable
{
    private readonly IHost _host;
    private readonly string _directory;

    private BenchAgent(IHost host, string directory) => (_host, _directory) = (host, directory);

    public required BenchExecutor Executor { get; init; }

    public static async Task<BenchAgent> StartAsync(string controlUrl, TestIssuer issuer, int slots)
    {
        var directory = Directory.CreateTempSubdirectory("kpi-bench-agent-").FullName;
        var (token, connections) = (Path.Combine(directory, "token"), Path.Combine(directory, "connections.yaml"));
        PrivateText.Write(token, issuer.AgentToken("bench", "eu", "acme"));
        // The agent wants a file that it can read; what it describes is replaced by the bench's executor.
        await File.WriteAllTextAsync(connections, "connections:\n  default:\n    driver: http\n    endpoint: http://127.0.0.1:1\n");
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Agent:Name"] = "bench", ["Agent:Region"] = "eu", ["Agent:Slots"] = $"{slots}", ["Agent:ConnectionsFile"] = connections,
            ["Agent:ControlPlane:Address"] = controlUrl, ["Agent:ControlPlane:Token"] = $"file:{token}", ["Agent:Outbox:Directory"] = Path.Combine(directory, "outbox"),
        });
        builder.Logging.AddSimpleConsole(console => console.SingleLine = true).SetMinimumLevel(LogLevel.Warning);
        var executor = new BenchExecutor();
        builder.Services.AddSingleton(new ExecutorTable(new Dictionary<string, ConnectedExecutor> { ["default"] = new("sql", executor) }));
        builder.Services.AddAgent();
        var agent = new BenchAgent(builder.Build(), directory) { Executor = executor };
        await agent._host.StartAsync();
        return agent;
    }

    /// <summary>Completes when everything that was executed is acknowledged, and it is so many runs.</summary>
    public async Task AcknowledgedAsync(int runs)
    {
        var (outbox, attempts) = (_host.Services.GetRequiredService<Outbox>(), _host.Services.GetRequiredService<Attempts>());
        while (Executor.Executed < runs || attempts.Count > 0 || outbox.Waiting > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
