using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Leases;

/// <summary>A job that takes its agent down must not take down one after the other for ever.</summary>
public sealed class QuarantineTests
{

    [Fact]
    public async Task The_third_lost_lease_of_an_occurrence_ends_it()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("poison", ByTheClock.Hourly), ByTheClock.LastHour);
        for (var i = 1; i <= 3; i++)
            await LoseAsync(world, $"agent-{i}");
        await world.UntilAsync("SELECT occ_state IS NULL FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });

        Assert.Equal(["lost(lease_lost) again", "lost(lease_lost) again", "failed(lease_lost)"], await world.HistoryAsync(binding));
        Assert.Equal("failed", await world.OneAsync<string>("SELECT last_status FROM kpi_job_runtime WHERE binding_id = @binding", new { binding }));
        var slot = await world.OneAsync<string>("SELECT 'schedule:' || to_char(scheduled_for AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM kpi_job_history WHERE final");
        var told = await world.Node.Jobs().ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = binding, SlotKey = slot });
        Assert.StartsWith("It was given up: its lease was lost too often", told.Answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_late_result_of_one_that_was_ended_is_stale_and_kept()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:LossesToQuarantine", "1"));
        var binding = await world.Seed.BindAsync(BindingSeed.Job("poison", ByTheClock.Hourly), ByTheClock.LastHour);
        var lease = await LoseAsync(world, "agent-1");
        await world.UntilAsync("SELECT occ_state IS NULL FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        await using var late = await world.AgentAsync("agent-1", credit: 0);

        Assert.Equal(FinishedAck.Types.Outcome.Stale, (await late.FinishAsync(TestAgent.Success(lease))).Outcome);
        Assert.Equal(["failed(lease_lost)"], await world.HistoryAsync(binding));
        Assert.Equal("stale_fence", await world.OneAsync<string>("SELECT kind FROM kpi_evidence WHERE binding_id = @binding", new { binding }));
    }

    [Fact]
    public async Task Leases_that_are_returned_unrun_are_no_losses()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:LossesToQuarantine", "1"));
        var binding = await world.Seed.BindAsync(BindingSeed.Job("drained", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        var draining = new Draining();
        draining.ReturnedAttempts.Add((await agent.LeaseAsync()).AttemptId);

        await agent.SayAsync(new AgentMessage { Draining = draining });

        await world.UntilAsync("SELECT occ_state = 'R' AND occ_reason = 6 FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
    }

    [Fact]
    public async Task What_was_returned_twice_and_lost_once_is_tried_again()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("deployed", ByTheClock.Hourly), ByTheClock.LastHour);
        foreach (var name in (string[])["agent-1", "agent-2"])
        {
            await using var draining = await world.AgentAsync(name);
            await ReturnAsync(draining, await draining.LeaseAsync());
            await world.UntilAsync("SELECT occ_state = 'R' AND occ_reason = 6 FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        }
        await LoseAsync(world, "agent-3");
        await using var agent = await world.AgentAsync("agent-4");
        using var alive = new PeriodicHeartbeat(agent);
        var last = await agent.LeaseAsync();

        Assert.Equal(["lost(returned) again", "lost(returned) again", "lost(lease_lost) again"], await world.HistoryAsync(binding));
        var told = await world.Node.Jobs().ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = binding, SlotKey = last.SlotKey });
        Assert.Equal(2, told.Facts.Count(fact => fact.Text.StartsWith("Its lease came back unrun", StringComparison.Ordinal)));
        Assert.Single(told.Facts, fact => fact.Text.StartsWith("Its lease was lost: the agent fell silent", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_lease_that_never_reached_its_agent_is_no_loss_and_one_that_had_begun_is()
    {
        // Sessions outlive a slow machine here: an agent that falls silent is another story.
        await using var world = await LeaseWorld.StartAsync(("Leases:LossesToQuarantine", "1"), ("Leases:Ttl", "00:01:00"));
        var binding = await world.Seed.BindAsync(BindingSeed.Job("restarted", ByTheClock.Hourly), ByTheClock.LastHour);
        var instance = Guid.NewGuid();
        await using (var agent = await world.AgentAsync(instance: instance))
            await agent.LeaseAsync();
        await using (var again = await world.AgentAsync(instance: instance, credit: 0))
        {
            using var alive = new PeriodicHeartbeat(again);
            await world.UntilAsync("SELECT occ_state = 'R' AND occ_reason = 6 FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
            await again.CreditAsync(1);
            var lease = await again.LeaseAsync();
            await again.SayAsync(new AgentMessage { Started = new Started { Attempts = { new StartedAttempt { AttemptId = lease.AttemptId } } } });
            // Messages are acted upon in order: what was said before the answered heartbeat was heard.
            await again.HeartbeatAsync(4711);
            await again.NextAsync(m => m.HeartbeatAck?.Sequence == 4711);
        }

        await using var third = await world.AgentAsync(instance: instance, credit: 0);
        using var heard = new PeriodicHeartbeat(third);
        await world.UntilAsync("SELECT occ_state IS NULL FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });

        Assert.Equal(["lost(returned) again", "failed(lease_lost)"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task Of_several_Hellos_the_last_says_what_a_session_holds()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:Ttl", "00:01:00"), ("Leases:ReclaimEvery", "00:00:05"));
        var binding = await world.Seed.BindAsync(BindingSeed.Job("dropped", ByTheClock.Hourly), ByTheClock.LastHour);
        var instance = Guid.NewGuid();
        Lease lease;
        await using (var agent = await world.AgentAsync(instance: instance))
            lease = await agent.LeaseAsync();

        // Between two passes of the reclaimer: the agent still held it, and dropped it a moment later.
        await using (await world.AgentAsync(instance: instance, credit: 0, held: TestAgent.Holding(lease)))
        {
        }
        await using var last = await world.AgentAsync(instance: instance, credit: 0);
        using var alive = new PeriodicHeartbeat(last);

        await world.UntilAsync("SELECT occ_state = 'R' FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
    }

    [Fact]
    public async Task A_lost_attempt_is_recorded_under_the_revision_that_it_ran_by()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = (await world.Node.CreateSimpleAsync(TestContext.Current.CancellationToken, "edited", "0 5 1 1 *")).BindingId;
        await world.Node.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding });
        await LoseAsync(world, "agent-1");
        await world.UntilAsync("SELECT occ_state = 'R' FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        await world.Node.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = binding, Content = SampleTexts.Simple("edited", "0 6 1 1 *") });
        await using var agent = await world.AgentAsync("agent-2");
        await agent.LeaseAsync();

        Assert.Equal("1 2", await world.OneAsync<string>("SELECT h.revision || ' ' || rt.occ_revision FROM kpi_job_history h JOIN kpi_job_runtime rt USING (binding_id) WHERE h.status = 'lost'"));
    }

    private static Task ReturnAsync(TestAgent agent, Lease lease) =>
        agent.SayAsync(new AgentMessage { Draining = new Draining { ReturnedAttempts = { lease.AttemptId } } });

    // As the node does that finds the agent silent.
    private static async Task<Lease> LoseAsync(LeaseWorld world, string name)
    {
        await using var agent = await world.AgentAsync(name);
        using var alive = new PeriodicHeartbeat(agent);
        var lease = await agent.LeaseAsync();
        await world.ExecuteAsync("UPDATE kpi_session SET ended_at = now(), end_reason = 'silent' WHERE session_id = @SessionId", new { agent.Welcome.SessionId });
        return lease;
    }
}
