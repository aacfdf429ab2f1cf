using System.Net.Http.Headers;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>Control nodes and agents as they are shipped, on one database, one warehouse and one KPI service, to be killed.</summary>
internal sealed class Cluster : IAsyncDisposable
{
    private const string Actual = """runtime: { filters: [ { field: ledger_type, op: "=", value: actual } ] }""";

    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("kpi-kill-");
    private readonly List<IAsyncDisposable> started = [];
    private TestIssuer issuer = null!;
    private KpiService service = null!;

    private Cluster(TestDatabase database) => Database = database;

    public TestDatabase Database { get; }

    public TestDatabase? Warehouse { get; private set; }

    public KpiService Service => service;

    public static async Task<Cluster> StartAsync(TestDatabase? database = null, bool warehouse = false)
    {
        var cluster = new Cluster(database ?? await PostgresFixture.CreateDatabaseAsync())
        {
            issuer = await TestIssuer.StartAsync(), service = await KpiService.StartAsync(),
        };
        if (warehouse)
            await SampleWarehouse.LoadAsync(cluster.Warehouse = await PostgresFixture.CreateEmptyDatabaseAsync());
        return cluster;
    }

    /// <param name="ttl">Of leases; 20 s where nothing is to wait for its end.</param>
    public async Task<ControlNode> NodeAsync(string name, TimeSpan? ttl = null)
    {
        var node = new ControlNode(name, directory.FullName, Database, issuer, ttl ?? TimeSpan.FromSeconds(20));
        started.Add(node);
        await node.StartAsync();
        return node;
    }

    public AgentUnderTest Agent(string name, string address, string? under = null)
    {
        var token = Path.Combine(directory.FullName, "service-token");
        File.WriteAllText(token, "any");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(token, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var agent = new AgentUnderTest(name, directory.FullName, address, issuer,
        [
            ("KPI_SERVICE_PORT", $"{service.Port}"), ("KPI_SERVICE_TOKEN_FILE", token),
            .. Warehouse is null ? [("KPI_EU_WAREHOUSE_PASSWORD", "none")] : SampleWarehouse.Settings(Warehouse),
        ]);
        started.Add(agent);
        agent.Start(under);
        return agent;
    }

    /// <summary>Days sales outstanding on the warehouse, due now.</summary>
    public Task<long> BindSqlAsync(string jobId) => new BindingSeed(Database).BindAsync(BindingSeed.Job(jobId, ByTheClock.Yearly, more: Actual));

    /// <summary>Jobs over HTTP, all due now.</summary>
    public Task BindHttpAsync(int count) => new BindingSeed(Database).BindAsync(BindingSeed.Job("burst", ByTheClock.Yearly, more: "run: { conn_id: http }"), count: count);

    public async Task<T> ScalarAsync<T>(string sql, params object[] parameters)
    {
        // One that was broken by a killed server is no reason to fail: the caller asks again.
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(Database.Superuser) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        foreach (var value in parameters)
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        return await command.ExecuteScalarAsync() is T found ? found : default!;
    }

    /// <summary>As an operator does after a restore.</summary>
    public Task BumpEpochAsync(ControlNode node) => PostAsync(node, "epoch/bump", """{"reason":"a restore"}""");

    /// <summary>By a platform operator.</summary>
    /// <returns>The answer, as JSON.</returns>
    public async Task<string> PostAsync(ControlNode node, string path, string body)
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", issuer.Token("operator"));
        using var answer = await http.PostAsync(new Uri($"{node.RestUrl}/api/{path}"), new StringContent(body, new MediaTypeHeaderValue("application/json")));
        var said = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, said);
        return said;
    }

    /// <summary>Values that others have written: what is counted in the end is one binding's.</summary>
    public async Task ForgetValuesAsync()
    {
        await using var connection = await Warehouse!.OpenAsync();
        await using var forget = new NpgsqlCommand("TRUNCATE kpi_values", connection);
        await forget.ExecuteNonQueryAsync();
    }

    public Task<long> FinishedAsync() => ScalarAsync<long>("SELECT count(*) FROM kpi_job_history WHERE final");

    public async ValueTask DisposeAsync()
    {
        foreach (var one in Enumerable.Reverse(started))
            await one.DisposeAsync();
        await service.DisposeAsync();
        await issuer.DisposeAsync();
        if (Warehouse is not null)
            await Warehouse.DisposeAsync();
        await Database.DisposeAsync();
        directory.Delete(recursive: true);
    }
}
