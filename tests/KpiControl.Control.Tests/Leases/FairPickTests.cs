using KpiControl.Control.Leases;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Leases;

public sealed class FairPickTests
{
    [Theory]
    [InlineData("a1 a2 a3 b1 b2", 1, "a1 b1 a2 b2 a3")]
    [InlineData("a1 a2 a3 a4 b1 b2", 3, "a1 a2 a3 b1 a4 b2")]
    [InlineData("b1 a1 a2 b2", 100, "b1 a1 a2 b2")]
    [InlineData("a1 a2", 2, "a1 a2")]
    public void Tenants_take_turns_of_as_many_as_they_weigh(string due, int weightOfA, string picked) =>
        Assert.Equal(picked, string.Join(' ', FairPick.Interleave(due.Split(' '), row => row[..1], new Dictionary<string, int> { ["a"] = weightOfA })));

    [Fact]
    public async Task Where_credit_is_short_a_tenant_that_weighs_more_is_granted_more()
    {
        await using var world = await LeaseWorld.StartAsync();
        foreach (var tenant in (string[])["acme", "globex"])
            await world.Seed.BindAsync(BindingSeed.Job("due", "0 5 1 1 *").Replace("acme", tenant, StringComparison.Ordinal), "'infinity'::timestamptz", count: 4);
        await world.ExecuteAsync("UPDATE kpi_tenant SET weight = 3 WHERE tenant_id = 'globex'");
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET next_run_at = date_trunc('minute', now()); SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_lane");
        await using var agent = await TestAgent.ConnectAsync(world.Node.Channel(world.Issuer.AgentToken("agent-eu", "eu", "acme", "globex")), "agent-eu", "eu", credit: 4);
        using var alive = new PeriodicHeartbeat(agent);
        await agent.LeaseAsync(4);

        Assert.Equal(3, await world.OneAsync<int>("SELECT count(*)::int FROM kpi_job_runtime WHERE occ_state = 'L' AND tenant_id = 'globex'"));
    }
}
