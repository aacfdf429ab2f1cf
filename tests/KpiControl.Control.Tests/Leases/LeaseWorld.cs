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
        var world = await WithoutNodeAsync();
        await world.AddNodeAsync("node-1", settings);
        return world;
    }

    /// <summary>For tests that run a store's statements themselves.</summary>
    public static async Task<LeaseWorld> WithoutNodeAsync()
    {
        var database = await PostgresFixture.CreateDatabaseAsync();
        return new LeaseWorld { Database = database, Issuer = await TestIssuer.SharedAsync(), Seed = new BindingSeed(database) };
    }

    /// <summary>The rows that a killed node leaves: itself, a session of <c>agent-dead</c>, and what that session held.</summary>
    /// <returns>The session.</returns>
    public Task<long> DeadNodeAsync(string expiresAt = "now() - interval '1 hour'", long? leaseOf = null, Guid? instance = null) => OneAsync<long>(
        $"""
        WITH t AS (INSERT INTO kpi_tenant (tenant_id) VALUES ('acme') ON CONFLICT (tenant_id) DO UPDATE SET weight = 1 RETURNING tenant_id),
        n AS (INSERT INTO kpi_node (name, generation, expires_at) VALUES ('dead', 1, {expiresAt}) RETURNING node_id),
        s AS (INSERT INTO kpi_session (agent, instance, region, node_id, node_generation, generation, build, slots)
              SELECT 'agent-dead', @instance, 'eu', node_id, 1, 1, 'test', 1 FROM n RETURNING session_id),
        st AS (INSERT INTO kpi_session_tenant SELECT session_id, tenant_id FROM s, t),
        rt AS (UPDATE kpi_job_runtime SET occ_state = 'L', occ_scheduled_for = next_run_at - interval '1 hour', occ_kind = 0, occ_business_date = now(), occ_revision = 1,
                 session_id = s.session_id, generation = 1, lease_deadline = now() + interval '1 hour', attempt_id = gen_random_uuid(), fence_n = nextval('kpi_fence'), fence_epoch = 1
                FROM s WHERE binding_id = @leaseOf)
        SELECT session_id FROM s
        """, new { leaseOf, instance = instance ?? Guid.NewGuid() });

    public async Task<ControlHost> AddNodeAsync(string name, params (string Key, string Value)[] settings)
    {
        (string Key, string Value)[] shorter = [("Leases:Node", name), ("Leases:Ttl", "00:00:06"), ("Leases:HeartbeatEvery", "00:00:00.5"),
            ("Leases:Grace", "00:00:00.5"), ("Leases:ReclaimEvery", "00:00:00.2"), ("Leases:UnroutableAfter", "00:00:01")];
        var node = await ControlHost.StartAsync(Database, Issuer, [.. shorter.ExceptBy(settings.Select(s => s.Key), s => s.Key), .. settings]);
        _nodes.Add(node);
        return node;
    }

    public Task<TestAgent> AgentAsync(string agent = "agent-eu", string region = "eu", Guid? instance = null, int credit = 1, ControlHost? node = null, string? stages = null,
        params KpiControl.Protocol.V1.HeldAttempt[] held) =>
        TestAgent.ConnectAsync((node ?? Node).Channel(Issuer.AgentToken(agent, region, "acme")), agent, region, instance, credit, stages, held);

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
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!await connection.QuerySingleAsync<bool>($"SELECT coalesce(({condition}), false) FROM (SELECT pg_sleep(0.01)) AS pause", parameters))
            if (limit.IsCancellationRequested)
                throw new TimeoutException($"Still not true: {condition}");
    }

    /// <summary>Waits until the first node logged it, at most twenty seconds.</summary>
    public async Task UntilLoggedAsync(string text)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!Node.Logs.Lines.Any(line => line.Contains(text, StringComparison.Ordinal)))
            await tick.WaitForNextTickAsync(limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
            await node.DisposeAsync();
        await InvariantCheck.HoldAsync(Database);
        await Database.DisposeAsync();
    }
}
