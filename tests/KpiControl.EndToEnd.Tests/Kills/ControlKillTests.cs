namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>Control processes killed while hundreds of runs are under way: what they acknowledged stands, and every slot has its disposition once.</summary>
public sealed class ControlKillTests : IAsyncLifetime
{
    private const int Slots = 300;
    private Cluster cluster = null!;

    public async ValueTask InitializeAsync() => cluster = await Cluster.StartAsync();

    public ValueTask DisposeAsync() => cluster.DisposeAsync();

    [Fact]
    public async Task A_control_plane_killed_under_load_and_back_again_loses_and_doubles_nothing()
    {
        var node = await cluster.NodeAsync("one");
        AgentUnderTest[] agents = [cluster.Agent("agent-1", node.Url), cluster.Agent("agent-2", node.Url), cluster.Agent("agent-3", node.Url)];
        cluster.Service.Answer(100);
        await cluster.BindHttpAsync(Slots);
        foreach (var finished in new[] { 30, 150 })
        {
            await UntilFinishedAsync(finished, agents);
            await node.KillAsync();
            Assert.InRange(await cluster.FinishedAsync(), finished, Slots - 1);
            cluster.Service.Answer(220);
            await node.StartAsync();
        }
        cluster.Service.Answer(int.MaxValue);
        await UntilFinishedAsync(Slots, agents);
        await cluster.NothingIsLostOrDoubledAsync(Slots, agents);
    }

    [Fact]
    public async Task Agents_of_a_killed_node_go_on_at_the_other()
    {
        var (one, two) = (await cluster.NodeAsync("one"), await cluster.NodeAsync("two"));
        AgentUnderTest[] agents = [cluster.Agent("agent-1", $"{one.Url},{two.Url}"), cluster.Agent("agent-2", $"{two.Url},{one.Url}")];
        cluster.Service.Answer(150);
        await cluster.BindHttpAsync(Slots);
        await UntilFinishedAsync(50, agents);
        await one.KillAsync();
        Assert.InRange(await cluster.FinishedAsync(), 50, Slots - 1);
        cluster.Service.Answer(int.MaxValue);
        await UntilFinishedAsync(Slots, agents);
        await cluster.NothingIsLostOrDoubledAsync(Slots, agents);
        Assert.True(await cluster.ScalarAsync<bool>(
            "SELECT bool_and(n.name = 'two') FROM kpi_session AS s JOIN kpi_node AS n USING (node_id) WHERE s.ended_at IS NULL"));
    }

    private Task UntilFinishedAsync(int count, AgentUnderTest[] agents) => Patience.UntilAsync(
        $"{count} runs are finished", async () => await cluster.FinishedAsync() >= count, [.. agents.Select(a => a.Process)]);
}
