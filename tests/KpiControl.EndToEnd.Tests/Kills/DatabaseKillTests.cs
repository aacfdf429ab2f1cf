using KpiControl.Testing;

namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>PostgreSQL killed while hundreds of runs are under way, and back: what was acknowledged is there.</summary>
public sealed class DatabaseKillTests
{
    private const int Slots = 300;

    [Fact]
    public async Task A_database_killed_under_load_and_back_again_loses_nothing_that_was_acknowledged()
    {
        await using var postgres = await OwnPostgres.StartAsync();
        await using var cluster = await Cluster.StartAsync(await PostgresFixture.CreateDatabaseAsync(postgres.Server));
        var node = await cluster.NodeAsync("one");
        AgentUnderTest[] agents = [cluster.Agent("agent-1", node.Url), cluster.Agent("agent-2", node.Url)];
        ShippedProcess[] all = [node.Process, .. agents.Select(a => a.Process)];
        await cluster.BindHttpAsync(Slots);
        await Patience.UntilAsync("it is under way", async () => await cluster.FinishedAsync() >= 40, all);

        await postgres.KillAsync();
        await postgres.RestartAsync();
        var survived = await cluster.FinishedAsync();
        Assert.InRange(survived, 40, Slots - 1);
        await Patience.UntilAsync("all are finished", async () => await cluster.FinishedAsync() >= Slots, all);
        await cluster.NothingIsLostOrDoubledAsync(Slots, agents);
    }
}
