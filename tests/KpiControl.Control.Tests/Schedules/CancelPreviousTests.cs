using KpiControl.Control.Tests.Leases;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Schedules;

/// <summary>Overlap cancel_previous: the newest slot wins, and each has its disposition.</summary>
public sealed class CancelPreviousTests
{
    [Fact]
    public async Task A_new_slot_asks_the_agent_to_stop_the_old_one_and_runs_when_it_has()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await BindAsync(world, "");
        await using var agent = await world.AgentAsync(credit: 2);
        using var alive = new PeriodicHeartbeat(agent);
        var old = await agent.LeaseAsync();

        await DueAsync(world, binding);
        var cancel = await agent.NextAsync(message => message.Cancel is not null);
        Assert.Equal(old.AttemptId, cancel.Cancel.AttemptId);
        await agent.FinishAsync(TestAgent.Result(old, "cancelled"));

        var next = await agent.LeaseAsync(2);
        Assert.True(next.ScheduledFor.ToDateTimeOffset() > old.ScheduledFor.ToDateTimeOffset());
        await agent.FinishAsync(TestAgent.Success(next));
        var history = await world.HistoryAsync(binding);
        Assert.Equal(("cancelled", "success"), (history[0][..9], history[1]));
    }

    [Fact]
    public async Task One_that_waits_for_its_next_try_ends_at_once()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await BindAsync(world, "retry: { max_retries: 1, backoff: fixed, initial: 20m, max: 20m }\ntimeout: 10m");
        await using var agent = await world.AgentAsync(credit: 2);
        using var alive = new PeriodicHeartbeat(agent);
        await agent.FinishAsync(TestAgent.Failure(await agent.LeaseAsync()));

        await DueAsync(world, binding);
        await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync(2)));

        Assert.Equal(["failed again", "cancelled(cancel_previous)", "success"], await world.HistoryAsync(binding));
    }

    // The last day's slot runs; this day's comes due when the test says so.
    private static async Task<long> BindAsync(LeaseWorld world, string more)
    {
        var binding = await world.Seed.BindAsync(BindingSeed.Job("overtaken", "0 0 * * *", "  overlap: cancel_previous", more), "date_trunc('day', now()) + interval '1 day'");
        await world.ExecuteAsync(
            """
            UPDATE kpi_job_runtime SET occ_state = 'R', occ_scheduled_for = date_trunc('day', now()) - interval '1 day', occ_kind = 0, occ_business_date = now() - interval '2 days' WHERE binding_id = @binding;
            INSERT INTO kpi_parked (binding_id, lane, tenant_id, state, ready_at) SELECT binding_id, lane, tenant_id, 'R', now() FROM kpi_job_runtime WHERE binding_id = @binding ON CONFLICT DO NOTHING;
            SELECT pg_notify('kpi', 'ready ' || lane) FROM kpi_job_runtime WHERE binding_id = @binding
            """, new { binding });
        return binding;
    }

    private static Task DueAsync(LeaseWorld world, long binding) => world.ExecuteAsync(
        "UPDATE kpi_job_runtime SET next_run_at = date_trunc('day', now()) WHERE binding_id = @binding; SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
}
