using System.Text.Json.Nodes;
using KpiControl.Testing;

namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>An agent that an operator drains, as both are shipped.</summary>
public sealed class DrainTests
{
    [Fact]
    public async Task A_drained_agent_finishes_and_stays_out_over_its_own_restart_and_its_nodes_death_until_it_is_resumed()
    {
        await using var cluster = await Cluster.StartAsync(warehouse: true);
        var node = await cluster.NodeAsync("one");
        var agent = cluster.Agent("agent-1", node.Url);
        await cluster.BindSqlAsync("first");
        await Patience.UntilAsync("the warehouse has its tables", async () => await cluster.FinishedAsync() == 1, node.Process, agent.Process);
        await using (var held = await HeldTable.LockAsync(cluster.Warehouse!, "gdp_receivables"))
        {
            await cluster.BindSqlAsync("held");
            await held.SomebodyWaitsAsync(agent.Process);
            Assert.Equal("draining 1", await ChangeAsync(cluster, node, "drain"));
            await HeardAsync(agent);
            await held.ReleaseAsync();
        }
        await Patience.UntilAsync("it finishes what it held", async () => await cluster.FinishedAsync() == 2, node.Process, agent.Process);
        Assert.Equal("drained 0", await ChangeAsync(cluster, node, "drain"));

        await node.KillAsync();
        await agent.Process.KillAsync();
        await node.StartAsync();
        await agent.RestartAsync();
        await HeardAsync(agent);
        var later = await cluster.BindSqlAsync("later");
        await Patience.UntilAsync("its slot waits for an agent", () => cluster.ScalarAsync<bool>("SELECT occ_state = 'R' AND occ_reason = 3 FROM kpi_job_runtime WHERE binding_id = $1", later), node.Process, agent.Process);

        Assert.StartsWith("live", await ChangeAsync(cluster, node, "resume"), StringComparison.Ordinal);
        await Patience.UntilAsync("it runs again", async () => await cluster.FinishedAsync() == 3, node.Process, agent.Process);
    }

    private static Task HeardAsync(AgentUnderTest agent) => Patience.UntilAsync("the agent hears of it",
        () => Task.FromResult(agent.Process.Output.Contains("Control drains this agent: a new disk", StringComparison.Ordinal)), agent.Process);

    private static async Task<string> ChangeAsync(Cluster cluster, ControlNode node, string how)
    {
        var answer = JsonNode.Parse(await cluster.PostAsync(node, $"agents/agent-1/{how}", """{"reason":"a new disk"}"""))!;
        return $"{answer["state"]} {answer["leased"]?.ToString() ?? "0"}";
    }
}
