using Dapper;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Control.Tests.Leases;

/// <summary>A database, an issuer and control nodes with short leases, for one test.</summary>
public sealed class LeaseWorld : IAsyncDisposable
{
    private readonly List<ControlHost> _nodes = [];

    public TestDatabase Database { get; private init; } = null!;
    public TestIssuer Issuer { get; private init; } = null!;
    public BindingSeed Seed { get; private init; } = null!;
    public ControlHost Node => _nodes[0];

    public static async Task<LeaseWorld> StartAsync(params (string Key, string Value)[] settings)
    {
        var database = await PostgresFixture.CreateDatabaseAsync();
        var world = new LeaseWorld { Database = database, Issuer = await TestIssuer.StartAsync(), Seed = new BindingSeed(database) };
        await world.AddNodeAsync("node-1", settings);
        return world;
    }

    public async Task<ControlHost> AddNodeAsync(string name, params (string Key, string Value)[] settings)
    {
        var node = await ControlHost.StartAsync(Database, Issuer, [("Leases:Node", name), ("Leases:Ttl", "00:00:02"), ("Leases:HeartbeatEvery", "00:00:00.5"),
            ("Leases:Grace", "00:00:00.5"), ("Leases:ReclaimEvery", "00:00:00.2"), ("Leases:UnroutableAfter", "00:00:01"), .. settings]);
        _nodes.Add(node);
        return node;
    }

    public Task<TestAgent> AgentAsync(string agent = "agent-eu", string region = "eu", Guid? instance = null, int credit = 1, ControlHost? node = null, params KpiControl.Protocol.V1.HeldAttempt[] held) =>
        TestAgent.ConnectAsync((node ?? Node).Channel(Issuer.AgentToken(agent, region, "acme")), agent, region, instance, credit, held);

    public async Task<T> OneAsync<T>(string sql, object? parameters = null)
    {
        await using var connection = await Database.OpenAsync();
        return (await connection.QuerySingleOrDefaultAsync<T>(sql, parameters))!;
    }

    public async Task<IReadOnlyList<string>> HistoryAsync(long binding)
    {
        await using var connection = await Database.OpenAsync();
        return (await connection.QueryAsync<string>(
            "SELECT status || coalesce('(' || reason || ')', '') || CASE WHEN final THEN '' ELSE ' again' END FROM kpi_job_history WHERE binding_id = @binding ORDER BY recorded_at, run_id", new { binding })).AsList();
    }

    public async Task ExecuteAsync(string sql, object? parameters = null)
    {
        await using var connection = await Database.OpenAsync();
        await connection.ExecuteAsync(sql, parameters);
    }

    /// <summary>Asks the database until it says so, at most ten seconds.</summary>
    public async Task UntilAsync(string condition, object? parameters = null)
    {
        await using var connection = await Database.OpenAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!await connection.QuerySingleAsync<bool>($"SELECT coalesce(({condition}), false) FROM (SELECT pg_sleep(0.01)) AS pause", parameters))
            if (limit.IsCancellationRequested)
                throw new TimeoutException($"Still not true: {condition}");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
            await node.DisposeAsync();
        await Issuer.DisposeAsync();
        await InvariantCheck.HoldAsync(Database);
        await Database.DisposeAsync();
    }
}
