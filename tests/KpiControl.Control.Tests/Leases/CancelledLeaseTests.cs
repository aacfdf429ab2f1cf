using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Leases;

/// <summary>A cancel asks the agent that runs the occurrence; that agent may be anywhere in its life.</summary>
public sealed class CancelledLeaseTests
{

    [Fact]
    public async Task A_cancelled_occurrence_whose_lease_is_returned_ends_and_frees_its_job()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("drained", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        var lease = await agent.LeaseAsync();
        await CancelAsync(world, lease);
        var behind = await world.Node.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding });

        await agent.SayAsync(new AgentMessage { Draining = new Draining { ReturnedAttempts = { lease.AttemptId } } });

        await using var next = await world.AgentAsync("agent-next");
        using var nextAlive = new PeriodicHeartbeat(next);
        Assert.Equal(behind.Occurrence.SlotKey, (await next.LeaseAsync()).SlotKey);
        Assert.Equal(["cancelled(returned)"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task A_cancelled_occurrence_that_a_resumed_session_does_not_hold_ends()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("unheld", ByTheClock.Hourly), ByTheClock.LastHour);
        var instance = Guid.NewGuid();
        await using var agent = await world.AgentAsync(instance: instance);
        await CancelAsync(world, await agent.LeaseAsync());

        await using var back = await world.AgentAsync(instance: instance, credit: 1);
        using var alive = new PeriodicHeartbeat(back);
        await world.UntilAsync("SELECT occ_state IS NULL FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });

        Assert.Equal(["cancelled(returned)"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task One_that_lost_its_lease_and_is_cancelled_before_the_next_leaves_a_row_of_each()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("lost", ByTheClock.Hourly), ByTheClock.LastHour);
        Lease lease;
        await using (var agent = await world.AgentAsync())
            lease = await agent.LeaseAsync();
        await world.ExecuteAsync("UPDATE kpi_session SET ended_at = now(), end_reason = 'silent'");
        await world.UntilAsync("SELECT occ_state = 'R' AND occ_reason = 5 FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });

        await CancelAsync(world, lease);

        Assert.Equal(["cancelled", "lost(lease_lost) again"], (await world.HistoryAsync(binding)).Order(StringComparer.Ordinal));
        Assert.Equal((Guid.Parse(lease.AttemptId), 1), await world.OneAsync<(Guid, int)>("SELECT attempt_id, revision FROM kpi_job_history WHERE status = 'lost'"));
    }

    [Theory]
    [InlineData("node-1")]
    [InlineData("node-2")]
    public async Task A_cancel_between_two_connections_is_told_by_the_next_Hello_wherever_it_arrives(string nextNode)
    {
        // The session outlives the break, however slow the machine.
        await using var world = await LeaseWorld.StartAsync(("Leases:Ttl", "00:01:00"));
        var next = nextNode == "node-1" ? world.Node : await world.AddNodeAsync(nextNode, ("Leases:Ttl", "00:01:00"));
        await world.Seed.BindAsync(BindingSeed.Job("between", ByTheClock.Hourly), ByTheClock.LastHour);
        var instance = Guid.NewGuid();
        Lease lease;
        await using (var agent = await world.AgentAsync(instance: instance))
            lease = await agent.LeaseAsync();
        await CancelAsync(world, lease);

        await using var back = await world.AgentAsync(instance: instance, credit: 0, node: next, held: TestAgent.Holding(lease));

        Assert.Equal(2, back.Welcome.Generation);
        Assert.Empty(back.Welcome.LostAttempts);
        Assert.Equal(lease.AttemptId, (await back.NextAsync(m => m.Cancel is not null)).Cancel.AttemptId);
    }

    [Fact]
    public async Task A_cancelled_occurrence_whose_agent_dies_is_not_tried_again_and_its_late_result_is_stale()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("dies", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();
        var lease = await agent.LeaseAsync();
        await CancelAsync(world, lease);
        await world.UntilAsync("SELECT occ_state IS NULL FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });

        await using var late = await world.AgentAsync(credit: 0);
        Assert.Equal(FinishedAck.Types.Outcome.Stale, (await late.FinishAsync(TestAgent.Success(lease))).Outcome);
        Assert.Equal(["cancelled(lease_lost)"], await world.HistoryAsync(binding));
    }

    private static Task CancelAsync(LeaseWorld world, Lease lease) =>
        world.Node.Jobs().CancelOccurrenceAsync(new CancelOccurrenceRequest { BindingId = lease.BindingId, SlotKey = lease.SlotKey }).ResponseAsync;
}
