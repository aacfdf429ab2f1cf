using Dapper;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Bench;

/// <summary>One of two control planes that take turns with the same work: its database, one agent, and what was measured of it.</summary>
internal sealed record LeaseSide(string Name, TestDatabase Database, ControlHost Host, BenchAgent Agent) : IAsyncDisposable
{
    private const int Slots = 4000;
    private const int WarmPasses = 3;

    public List<double> Rates { get; } = [];
    public List<double> ReadsMs { get; } = [];

    public static async Task<LeaseSide> StartAsync(string name, TestIssuer issuer, Func<TestDatabase, TestIssuer, Task<ControlHost>> start, int bindings)
    {
        var database = await PostgresFixture.CreateDatabaseAsync();
        var host = await start(database, issuer);
        await new BindingSeed(database).BindAsync(BindingSeed.Job("bench", "0 * * * *"), "date_trunc('hour', now())", bindings);
        var agent = await BenchAgent.StartAsync(host.GrpcUrl, issuer, Slots);
        await agent.AcknowledgedAsync(bindings);
        for (var pass = 1; pass < WarmPasses; pass++)
            await LeasePass.RunAsync(database, agent, bindings);
        return new LeaseSide(name, database, host, agent);
    }

    /// <summary>Every binding runs once.</summary>
    public async Task RunAsync(int bindings) => Rates.Add(bindings / (await LeasePass.RunAsync(Database, Agent, bindings)).Seconds);

    /// <summary>The chain has caught up with what ran.</summary>
    public async Task LinkedAsync()
    {
        await using var connection = await Database.OpenAsync();
        while (await connection.QuerySingleAsync<bool>("SELECT EXISTS (SELECT FROM kpi_chain_pending)"))
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
    }

    /// <summary>One call after the other, at rest: what the runs before it left to do is done.</summary>
    public async Task ReadAsync(int reads)
    {
        await LinkedAsync();
        await LeasePass.SettleAsync(Database);
        var jobs = Host.Jobs();
        for (var i = 0; i < reads; i++)
        {
            var began = TimeProvider.System.GetTimestamp();
            await jobs.ListJobsAsync(new ListJobsRequest { PageSize = 10 });
            ReadsMs.Add(TimeProvider.System.GetElapsedTime(began).TotalMilliseconds);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Agent.DisposeAsync();
        await Host.DisposeAsync();
        await Database.DisposeAsync();
    }
}
