using KpiControl.Control.Database;
using KpiControl.Control.Leases;
using KpiControl.Testing;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Tests.Leases;

/// <summary>After an outage of all nodes, agents that are well have had nobody to tell: nothing is taken from them at once.</summary>
public sealed class AmnestyTests
{
    private static readonly TimeSpan Ttl = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    [Theory]
    [InlineData(14, false)]
    [InlineData(16, true)]
    public async Task A_gap_of_more_than_half_a_ttl_is_an_outage(int gapSeconds, bool amnesty)
    {
        await using var world = await LeaseWorld.WithoutNodeAsync();
        var session = await world.DeadNodeAsync();
        await world.ExecuteAsync("UPDATE kpi_cluster SET reclaimer_passed_at = now() - make_interval(secs => @gapSeconds)", new { gapSeconds });
        await using var databases = Open(world);

        var pass = await Store(databases).PassAsync(Ttl, Grace, TestContext.Current.CancellationToken);

        Assert.Equal((amnesty, amnesty ? 0 : 1), (pass.Amnesty, pass.Ended));
        Assert.Equal(amnesty, await world.OneAsync<bool>("SELECT ended_at IS NULL FROM kpi_session WHERE session_id = @session", new { session }));
    }

    [Fact]
    public async Task Nothing_is_reclaimed_for_one_ttl_whichever_node_looks_first()
    {
        await using var world = await LeaseWorld.WithoutNodeAsync();
        var session = await world.DeadNodeAsync();
        await world.ExecuteAsync("UPDATE kpi_cluster SET reclaimer_passed_at = now() - interval '1 hour'");
        await using var one = Open(world);
        await using var other = Open(world);
        var token = TestContext.Current.CancellationToken;

        // Whoever looks second sees a fresh stamp: the amnesty stands in the row, not in the gap.
        Assert.True((await Store(one).PassAsync(Ttl, Grace, token)).Amnesty);
        Assert.True((await Store(other).PassAsync(Ttl, Grace, token)).Amnesty);
        Assert.Equal(30, await world.OneAsync<double>("SELECT round(extract(epoch FROM amnesty_until - reclaimer_passed_at))"
            + " FROM kpi_cluster"), tolerance: 1);
        Assert.True(await world.OneAsync<bool>("SELECT ended_at IS NULL FROM kpi_session WHERE session_id = @session", new { session }));

        await world.ExecuteAsync("UPDATE kpi_cluster SET amnesty_until = now()");
        Assert.Equal(1, (await Store(other).PassAsync(Ttl, Grace, token)).Ended);
    }

    [Fact]
    public async Task A_silent_agent_keeps_its_lease_while_the_amnesty_lasts()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var silent = await world.AgentAsync();
        await silent.LeaseAsync();
        await world.ExecuteAsync("UPDATE kpi_cluster SET amnesty_until = 'infinity'");
        var since = await world.OneAsync<DateTime>("SELECT now()");

        // Longer than TTL and grace, by the passes that looked and took nothing.
        await world.UntilAsync("SELECT reclaimer_passed_at > @since + interval '3 seconds' FROM kpi_cluster", new { since });
        Assert.Equal("L", await world.OneAsync<string>("SELECT occ_state::text FROM kpi_job_runtime WHERE binding_id = @binding", new { binding }));

        await world.ExecuteAsync("UPDATE kpi_cluster SET amnesty_until = '-infinity'");
        await world.UntilAsync("SELECT occ_state = 'R' FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
    }

    private static ReclaimStore Store(Databases databases) => new(databases, Options.Create(new LeaseOptions()));

    private static Databases Open(LeaseWorld world) =>
        new(Options.Create(new DatabaseOptions { Requests = world.Database.Requests, Scheduler = world.Database.Scheduler }));
}
