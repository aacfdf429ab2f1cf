using KpiControl.Agent.Connections;
using KpiControl.Agent.Executors.Http;
using KpiControl.Agent.Executors.Sql;
using KpiControl.Agent.Secrets;

namespace KpiControl.Agent.Executors;

/// <summary>An executor for each of the agent's connections, made once and kept until the agent stops.</summary>
internal sealed class ExecutorRegistry : IAsyncDisposable
{
    private readonly Dictionary<string, IExecutor> executors;

    /// <summary>With secrets of this machine alone.</summary>
    public ExecutorRegistry(IReadOnlyList<Connection> connections, SecretsInHand inHand, TimeProvider time) : this(connections, SecretSources.Of(inHand), time)
    {
    }

    public ExecutorRegistry(IReadOnlyList<Connection> connections, SecretSources secrets, TimeProvider time)
    {
        executors = connections.ToDictionary(connection => connection.ConnId, connection => Make(connection, secrets, time));
        Connections = connections.ToDictionary(connection => connection.ConnId, connection => connection.Executor);
        Stages = connections.ToDictionary(connection => connection.ConnId, connection => connection.Stages);
    }

    /// <summary>conn_id → <c>sql</c> or <c>http</c>, for Hello.</summary>
    public IReadOnlyDictionary<string, string> Connections { get; }

    /// <summary>conn_id → the stages that it can execute, for Hello.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Stages { get; }

    /// <summary>Null where the agent has no such connection.</summary>
    public IExecutor? For(string connId) => executors.GetValueOrDefault(connId);

    public async ValueTask DisposeAsync()
    {
        foreach (var executor in executors.Values.OfType<IAsyncDisposable>())
            await executor.DisposeAsync();
    }

    private static IExecutor Make(Connection connection, SecretSources secrets, TimeProvider time) => connection.Driver switch
    {
        Driver.Http => new HttpExecutor(connection, secrets, time),
        Driver.DuckDb => new SqlExecutor(connection, new DuckDbWarehouse(connection), secrets, time),
        _ => new SqlExecutor(connection, new PostgresWarehouse(connection), secrets, time),
    };
}
