using KpiControl.Control.Database;
using KpiControl.Control.Leases;
using KpiControl.Testing;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Tests.Leases;

/// <summary>When what is in a row makes room, asked of the statement itself: each condition alone keeps it there.</summary>
public sealed class StandingAsideTests
{
    [Theory]
    [InlineData("queued = queued", true)]
    [InlineData("occ_cancel = true", true)]
    [InlineData("occ_state = 'R', retry_count = 1, attempt_id = NULL, session_id = NULL, generation = NULL, lease_deadline = NULL", true)]
    [InlineData("occ_state = 'R', occ_lost_as = 5, session_id = NULL, generation = NULL, lease_deadline = NULL", true)]
    [InlineData("occ_state = 'R', attempt_id = NULL, session_id = NULL, generation = NULL, lease_deadline = NULL", false)]
    [InlineData("occ_state = 'W', session_id = NULL, generation = NULL, lease_deadline = NULL", false)]
    [InlineData("revision = 2", false)]
    [InlineData("active = false", false)]
    [InlineData("lane = -lane", false)]
    [InlineData("paused_until = 'infinity'", false)]
    [InlineData("aside = 15", false)]
    [InlineData("session_id = (SELECT session_id FROM kpi_session WHERE agent = 'gone')", false)]
    public async Task It_stands_aside_where_nothing_speaks_against_it(string state, bool stands)
    {
        await using var world = await LeaseWorld.WithoutNodeAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("beside", "0 * * * *", "  overlap: allow"), "date_trunc('hour', now())");
        await world.DeadNodeAsync("'infinity'", leaseOf: binding);
        await world.ExecuteAsync(
            """
            INSERT INTO kpi_session (agent, instance, region, node_id, node_generation, generation, build, slots, ended_at, end_reason)
            SELECT 'gone', gen_random_uuid(), region, node_id, node_generation, generation, build, slots, now(), 'silent' FROM kpi_session
            """);
        await world.ExecuteAsync($"UPDATE kpi_job_runtime SET {state} WHERE binding_id = @binding", new { binding });
        await using var databases = new Databases(Options.Create(new DatabaseOptions { Requests = world.Database.Requests, Scheduler = world.Database.Scheduler }));

        var free = await new AsideStore(databases, Options.Create(new LeaseOptions())).StandAsync([new PlanKey(binding, 1)], TestContext.Current.CancellationToken);

        Assert.Equal(stands ? [binding] : [], free);
        Assert.Equal(stands ? 1 : 0, await world.OneAsync<int>("SELECT count(*) FROM kpi_aside"));
        // What was arranged here keeps no promise.
        await world.ExecuteAsync("DELETE FROM kpi_aside; UPDATE kpi_job_runtime SET occ_state = NULL, session_id = NULL, generation = NULL, lease_deadline = NULL, revision = 1, active = true, lane = abs(lane), paused_until = NULL, aside = 0");
    }
}
