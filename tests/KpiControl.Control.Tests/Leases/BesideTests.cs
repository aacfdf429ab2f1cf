using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Outcome = KpiControl.Protocol.V1.FinishedAck.Types.Outcome;

namespace KpiControl.Control.Tests.Leases;

/// <summary>Overlap allow: what runs stands aside for the next of its job, and all that can happen to a lease happens to it there.</summary>
public sealed class BesideTests
{
    private const string Yearly = "0 0 1 1 *", NextYear = "date_trunc('year', now()) + interval '1 year'", OneRetry = "retry: { max_retries: 1, backoff: none }";

    [Fact]
    public async Task A_slow_run_and_the_next_slot_run_at_once_and_each_is_recorded_once()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await BindAsync(world, "* * * * * *", nextRunAt: "date_trunc('second', now())");
        await using var agent = await world.AgentAsync(credit: 2);
        using var alive = new PeriodicHeartbeat(agent);

        await agent.LeaseAsync(2);
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET next_run_at = 'infinity'");
        var (first, second) = (agent.Leases[0], agent.Leases[1]);
        Assert.True(second.ScheduledFor > first.ScheduledFor);
        Assert.True(second.Fence.Number > first.Fence.Number);
        await Assert.AllAsync([first, second], async lease => Assert.Equal(Outcome.Recorded, (await agent.FinishAsync(TestAgent.Success(lease))).Outcome));
        await Assert.AllAsync([first, second], async lease => Assert.Equal(Outcome.AlreadyRecorded, (await agent.FinishAsync(TestAgent.Success(lease))).Outcome));

        Assert.Equal([first.Fence.Number, second.Fence.Number], await RunsAsync(world, binding));
        Assert.Equal("success", await world.OneAsync<string>("SELECT last_status FROM kpi_job_runtime WHERE binding_id = @binding", new { binding }));
    }

    [Fact]
    public async Task All_that_is_open_is_shown_and_counted()
    {
        await using var world = await LeaseWorld.StartAsync();
        await using var agent = await world.AgentAsync(credit: 2);
        using var alive = new PeriodicHeartbeat(agent);
        var (binding, first, second) = await TwoAsync(world, agent, agent);

        var job = await world.Node.Jobs().GetJobAsync(new GetJobRequest { BindingId = binding });
        Assert.Equal((first.SlotKey, "leased"), (job.Occurrence.SlotKey, job.Occurrence.State));
        Assert.Equal((second.SlotKey, "leased", second.AttemptId, "agent-eu"), Assert.Single(job.Beside) is var other ? (other.SlotKey, other.State, other.AttemptId, other.Agent) : default);
        Assert.Equal(["leased", "leased"], await world.OneAsync<string[]>("SELECT array_agg(state) FROM kpi_open_occurrence WHERE binding_id = @binding", new { binding }));
        Assert.Equal(("leased", "manual", 2, 2), await world.OneAsync<(string, string, int, int)>("SELECT state, cause, running, open FROM kpi_monitor_job WHERE binding_id = @binding", new { binding }));
        Assert.Equal(2, Assert.Single((await new FleetService.FleetServiceClient(world.Node.Channel(world.Issuer.Token("operator"))).ListAgentsAsync(new ListAgentsRequest())).Agents).Leased);
        foreach (var lease in (Lease[])[first, second])
            Assert.Equal("It is running on agent-eu.", (await world.Node.Jobs().ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = binding, SlotKey = lease.SlotKey })).Answer);
    }

    [Fact]
    public async Task What_stands_aside_and_fails_is_tried_again_beside_the_other()
    {
        await using var world = await LeaseWorld.StartAsync();
        await using var agent = await world.AgentAsync(credit: 3);
        using var alive = new PeriodicHeartbeat(agent);
        var (binding, first, second) = await TwoAsync(world, agent, agent, OneRetry);

        await agent.FinishAsync(TestAgent.Failure(first));
        var again = await agent.LeaseAsync(3);
        await agent.FinishAsync(TestAgent.Failure(again));
        await agent.FinishAsync(TestAgent.Success(second));

        Assert.Equal((first.SlotKey, 2), (again.SlotKey, again.TryNumber));
        Assert.True(again.Fence.Number > second.Fence.Number);
        Assert.Equal(["failed again", "failed", "success"], await world.HistoryAsync(binding));
        Assert.Equal("success", await world.OneAsync<string>("SELECT last_status FROM kpi_job_runtime WHERE binding_id = @binding", new { binding }));
    }

    [Fact]
    public async Task What_stands_aside_and_loses_its_lease_goes_to_another_agent_and_its_late_result_is_stale()
    {
        await using var world = await LeaseWorld.StartAsync();
        await using var slow = await world.AgentAsync("agent-slow");
        await using var quick = await world.AgentAsync("agent-quick", credit: 0);
        using var alive = new PeriodicHeartbeat(quick);
        var beating = new PeriodicHeartbeat(slow);
        var (binding, first, second) = await TwoAsync(world, slow, quick);
        beating.Dispose();

        await quick.CreditAsync(1);
        var again = await quick.LeaseAsync(2);
        await using var late = await world.AgentAsync("agent-slow", credit: 0);

        Assert.Equal(first.SlotKey, again.SlotKey);
        Assert.Equal(Outcome.Stale, (await late.FinishAsync(TestAgent.Success(first))).Outcome);
        Assert.Equal(["lost(lease_lost) again"], await world.HistoryAsync(binding));
        await Assert.AllAsync([again, second], async lease => Assert.Equal(Outcome.Recorded, (await quick.FinishAsync(TestAgent.Success(lease))).Outcome));
        Assert.Equal(["lost(lease_lost) again", "success", "success"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task Its_late_result_is_accepted_while_nobody_has_taken_it()
    {
        await using var world = await LeaseWorld.StartAsync();
        var instance = Guid.NewGuid();
        await using var slow = await world.AgentAsync("agent-slow", instance: instance);
        await using var quick = await world.AgentAsync("agent-quick", credit: 0);
        using var alive = new PeriodicHeartbeat(quick);
        var beating = new PeriodicHeartbeat(slow);
        var (binding, first, second) = await TwoAsync(world, slow, quick);
        beating.Dispose();
        await world.UntilAsync("SELECT occ_state = 'R' AND occ_lost_as = 5 FROM kpi_aside WHERE binding_id = @binding", new { binding });

        await using var back = await world.AgentAsync("agent-slow", instance: instance, credit: 0);
        Assert.Equal(Outcome.Recorded, (await back.FinishAsync(TestAgent.Success(first))).Outcome);

        Assert.Equal(["success"], await world.HistoryAsync(binding));
        Assert.Equal(Outcome.Recorded, (await quick.FinishAsync(TestAgent.Success(second))).Outcome);
    }

    [Fact]
    public async Task The_last_loss_of_what_stands_aside_ends_it()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:LossesToQuarantine", "1"));
        await using var slow = await world.AgentAsync("agent-slow");
        await using var quick = await world.AgentAsync("agent-quick", credit: 0);
        using var alive = new PeriodicHeartbeat(quick);
        var beating = new PeriodicHeartbeat(slow);
        var (binding, _, second) = await TwoAsync(world, slow, quick);
        beating.Dispose();

        await world.UntilAsync("SELECT count(*) = 1 FROM kpi_job_history WHERE binding_id = @binding", new { binding });
        Assert.Equal(["failed(lease_lost)"], await world.HistoryAsync(binding));
        Assert.Equal(("L", 0), await world.OneAsync<(string, int)>("SELECT occ_state::text, aside::int FROM kpi_job_runtime WHERE binding_id = @binding", new { binding }));
        Assert.Equal(Outcome.Recorded, (await quick.FinishAsync(TestAgent.Success(second))).Outcome);
    }

    [Fact]
    public async Task What_stands_aside_and_is_returned_unrun_goes_to_another_agent()
    {
        await using var world = await LeaseWorld.StartAsync();
        await using var stopping = await world.AgentAsync("agent-stopping");
        await using var other = await world.AgentAsync("agent-other", credit: 0);
        using var alive = new PeriodicHeartbeat(stopping, other);
        var (binding, first, _) = await TwoAsync(world, stopping, other);

        await stopping.SayAsync(new AgentMessage { Draining = new Draining { ReturnedAttempts = { first.AttemptId } } });
        await other.CreditAsync(1);

        Assert.Equal(first.SlotKey, (await other.LeaseAsync(2)).SlotKey);
        Assert.Equal(["lost(returned) again"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task A_session_moves_to_another_node_with_all_that_it_holds()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:Ttl", "00:01:00"));
        var second = await world.AddNodeAsync("node-2", ("Leases:Ttl", "00:01:00"));
        var instance = Guid.NewGuid();
        await using var agent = await world.AgentAsync(instance: instance, credit: 2);
        var (binding, one, other) = await TwoAsync(world, agent, agent, "retry: { max_retries: 1, initial: 1h, backoff: fixed }");

        await using var moved = await world.AgentAsync(instance: instance, credit: 0, node: second, held: [TestAgent.Holding(one), TestAgent.Holding(other)]);
        using var alive = new PeriodicHeartbeat(moved);

        Assert.Empty(moved.Welcome.LostAttempts);
        Assert.Equal(Outcome.Recorded, (await moved.FinishAsync(TestAgent.Failure(one))).Outcome);
        Assert.Equal(Outcome.Recorded, (await moved.FinishAsync(TestAgent.Success(other))).Outcome);
        // The other node knew the plan of what stood aside: another try follows.
        Assert.Equal(["failed again", "success"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task A_resumed_session_gives_back_what_it_no_longer_holds_though_it_stands_aside()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:Ttl", "00:01:00"));
        var instance = Guid.NewGuid();
        Lease first, second;
        long binding;
        await using (var agent = await world.AgentAsync(instance: instance, credit: 2))
            (binding, first, second) = await TwoAsync(world, agent, agent);

        await using var back = await world.AgentAsync(instance: instance, credit: 1, held: TestAgent.Holding(second));
        using var alive = new PeriodicHeartbeat(back);

        Assert.Equal(first.SlotKey, (await back.LeaseAsync()).SlotKey);
        Assert.Equal(["lost(returned) again"], await world.HistoryAsync(binding));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cancel_asks_for_the_one_that_is_named_or_for_all(bool all)
    {
        await using var world = await LeaseWorld.StartAsync();
        await using var agent = await world.AgentAsync(credit: 2);
        using var alive = new PeriodicHeartbeat(agent);
        var (binding, first, second) = await TwoAsync(world, agent, agent);

        var answer = await world.Node.Jobs().CancelOccurrenceAsync(new CancelOccurrenceRequest { BindingId = binding, SlotKey = all ? "" : first.SlotKey });
        Assert.Equal((first.SlotKey, false), (answer.Occurrence.SlotKey, answer.Ended));
        Assert.Equal(all ? [second.SlotKey] : [], answer.Others.Select(other => other.SlotKey));
        Assert.Equal(first.AttemptId, (await agent.NextAsync(m => m.Cancel is not null)).Cancel.AttemptId);
        if (all)
            Assert.Equal(second.AttemptId, (await agent.NextAsync(m => m.Cancel is not null)).Cancel.AttemptId);
        await agent.FinishAsync(TestAgent.Result(first, "cancelled"));
        await agent.FinishAsync(all ? TestAgent.Result(second, "cancelled") : TestAgent.Success(second));

        Assert.Equal(["cancelled", all ? "cancelled" : "success"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task A_cancelled_lease_that_stands_aside_is_told_at_the_next_Hello_and_ends_however_it_comes_back()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:Ttl", "00:01:00"));
        var instance = Guid.NewGuid();
        Lease first, second;
        long binding;
        await using (var agent = await world.AgentAsync(instance: instance, credit: 2))
            (binding, first, second) = await TwoAsync(world, agent, agent);
        await world.Node.Jobs().CancelOccurrenceAsync(new CancelOccurrenceRequest { BindingId = binding, SlotKey = first.SlotKey });

        await using var back = await world.AgentAsync(instance: instance, credit: 0, held: [TestAgent.Holding(first), TestAgent.Holding(second)]);
        Assert.Equal(first.AttemptId, (await back.NextAsync(m => m.Cancel is not null)).Cancel.AttemptId);
        await back.SayAsync(new AgentMessage { Draining = new Draining { ReturnedAttempts = { first.AttemptId } } });
        await world.UntilAsync("SELECT count(*) = 1 FROM kpi_job_history WHERE binding_id = @binding", new { binding });

        Assert.Equal(["cancelled(returned)"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task One_between_two_attempts_is_cancelled_at_once_and_the_other_runs_on()
    {
        await using var world = await LeaseWorld.StartAsync();
        await using var agent = await world.AgentAsync(credit: 2);
        using var alive = new PeriodicHeartbeat(agent);
        var (binding, first, second) = await TwoAsync(world, agent, agent, "retry: { max_retries: 1, initial: 1h, backoff: fixed }");
        await agent.FinishAsync(TestAgent.Failure(first));

        Assert.True((await world.Node.Jobs().CancelOccurrenceAsync(new CancelOccurrenceRequest { BindingId = binding, SlotKey = first.SlotKey })).Ended);

        Assert.Equal(["failed again", "cancelled"], await world.HistoryAsync(binding));
        Assert.Equal(Outcome.Recorded, (await agent.FinishAsync(TestAgent.Success(second))).Outcome);
    }

    [Fact]
    public async Task A_pause_lets_what_runs_finish_and_holds_the_retry_of_what_stands_aside()
    {
        await using var world = await LeaseWorld.StartAsync();
        await using var agent = await world.AgentAsync(credit: 3);
        using var alive = new PeriodicHeartbeat(agent);
        var (binding, first, second) = await TwoAsync(world, agent, agent, OneRetry);
        await world.Node.Jobs().PauseJobAsync(new PauseJobRequest { BindingId = binding });

        await agent.FinishAsync(TestAgent.Failure(first));
        await agent.FinishAsync(TestAgent.Success(second));
        // Its turn has come, in a row that is free.
        await world.UntilAsync("SELECT occ_state = 'R' AND aside = 0 FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        Assert.Equal(2, agent.Leases.Count);
        await world.Node.Jobs().ResumeJobAsync(new ResumeJobRequest { BindingId = binding });

        Assert.Equal((first.SlotKey, 2), await agent.LeaseAsync(3) is var again ? (again.SlotKey, again.TryNumber) : default);
    }

    [Fact]
    public async Task Past_so_many_at_once_the_next_waits_until_one_has_ended()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:MostAtOncePerBinding", "2"));
        await using var agent = await world.AgentAsync(credit: 3);
        using var alive = new PeriodicHeartbeat(agent);
        var (binding, first, _) = await TwoAsync(world, agent, agent);
        var third = await TriggerAsync(world, binding);
        // A round after it was heard of.
        await world.UntilAsync("SELECT queued = 1 AND aside = 1 FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        Assert.Equal(2, agent.Leases.Count);

        await agent.FinishAsync(TestAgent.Success(first));

        Assert.Equal(third, (await agent.LeaseAsync(3)).SlotKey);
    }

    [Fact]
    public async Task What_finds_its_dependencies_not_ready_gives_up_in_time_though_it_stands_aside()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:PollEvery", "00:00:00.5"));
        await using var agent = await world.AgentAsync(credit: 2);
        using var alive = new PeriodicHeartbeat(agent);
        var (binding, first, _) = await TwoAsync(world, agent, agent, "retry: { max_retries: 1, initial: 1h, backoff: fixed }");
        await agent.FinishAsync(TestAgent.Failure(first, "NOT_READY", "scheduler"));
        Assert.True(await world.OneAsync<bool>("SELECT occ_state = 'R' AND occ_reason = 1 AND retry_count = 0 FROM kpi_aside WHERE binding_id = @binding", new { binding }));

        await world.ExecuteAsync("UPDATE kpi_aside SET occ_deadline = now()");
        await world.UntilAsync("SELECT aside = 0 FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });

        Assert.Equal(["failed again", "skipped(not_ready)"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task A_job_that_allows_it_no_more_opens_nothing_beside_what_runs()
    {
        await using var world = await LeaseWorld.StartAsync();
        await world.Node.PutContractAsync(SampleTexts.SimpleContract(), TestContext.Current.CancellationToken);
        var text = SampleTexts.Simple("edited", "0 0 * * *").Replace("timezone: UTC", "timezone: UTC, overlap: allow", StringComparison.Ordinal);
        var binding = (await world.Node.Jobs().CreateJobAsync(new CreateJobRequest { Content = text })).BindingId;
        await using var agent = await world.AgentAsync(credit: 4);
        using var alive = new PeriodicHeartbeat(agent);
        await TriggerAsync(world, binding);
        var first = await agent.LeaseAsync();
        await TriggerAsync(world, binding);
        var second = await agent.LeaseAsync(2);
        await world.Node.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = binding, Content = SampleTexts.Simple("edited", "0 0 * * *") });

        // A slot that comes due and a trigger, while only the one that stands aside runs.
        await agent.FinishAsync(TestAgent.Success(second));
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET next_run_at = date_trunc('day', now()) WHERE binding_id = @binding; SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        await world.UntilAsync("SELECT count(*) = 1 FROM kpi_job_history WHERE binding_id = @binding AND reason = 'overlap'", new { binding });
        var third = await TriggerAsync(world, binding);
        Assert.Equal(2, agent.Leases.Count);
        await agent.FinishAsync(TestAgent.Success(first));

        Assert.Equal(third, (await agent.LeaseAsync(3)).SlotKey);
    }

    [Fact]
    public async Task Slots_of_an_outage_are_caught_up_with_one_at_a_time_beside_what_is_live()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await BindAsync(world, "0 * * * *", "  catchup: all", "date_trunc('hour', now()) - interval '3 hours'");
        await using var agent = await world.AgentAsync(credit: 10);
        using var alive = new PeriodicHeartbeat(agent);
        var oldest = await agent.LeaseAsync();

        var live = await TriggerAsync(world, binding);
        Assert.Equal(live, (await agent.LeaseAsync(2)).SlotKey);
        await TriggerAsync(world, binding);
        await agent.LeaseAsync(3);
        var seen = new List<Lease> { oldest };
        for (var next = 4; next <= 6; next++)
        {
            Assert.Single(agent.Leases, lease => lease.TriggerKind == "schedule" && lease.AttemptId == seen[^1].AttemptId);
            await agent.FinishAsync(TestAgent.Success(seen[^1]));
            seen.Add(await agent.LeaseAsync(next));
        }
        await agent.FinishAsync(TestAgent.Success(seen[^1]));

        Assert.Equal(seen.OrderBy(lease => lease.ScheduledFor), seen);
        Assert.All(seen, lease => Assert.Equal("schedule", lease.TriggerKind));
        Assert.Equal(4, await world.OneAsync<int>("SELECT sum(slot_count)::int FROM kpi_job_history WHERE binding_id = @binding AND final AND trigger_kind = 'schedule'", new { binding }));
    }

    private static Task<long> BindAsync(LeaseWorld world, string cron = Yearly, string schedule = "", string nextRunAt = NextYear, string more = "") =>
        world.Seed.BindAsync(BindingSeed.Job("beside", cron, $"  overlap: allow\n{schedule}", more), nextRunAt);

    /// <summary>Two of a job that run: the first, which stands aside, on one agent, and the second on another or the same.</summary>
    private static async Task<(long Binding, Lease First, Lease Second)> TwoAsync(LeaseWorld world, TestAgent first, TestAgent second, string more = "")
    {
        var binding = await BindAsync(world, more: more);
        await TriggerAsync(world, binding);
        var one = await first.LeaseAsync();
        if (second != first)
            await second.CreditAsync(1);
        await TriggerAsync(world, binding);
        var other = await second.LeaseAsync(second == first ? 2 : 1);
        Assert.Equal(Guid.Parse(one.AttemptId), await world.OneAsync<Guid>("SELECT attempt_id FROM kpi_aside WHERE binding_id = @binding AND occ_state = 'L'", new { binding }));
        return (binding, one, other);
    }

    private static async Task<string> TriggerAsync(LeaseWorld world, long binding) =>
        (await world.Node.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding })).Occurrence.SlotKey;

    private static Task<long[]> RunsAsync(LeaseWorld world, long binding) =>
        world.OneAsync<long[]>("SELECT array_agg(run_id ORDER BY scheduled_for) FROM kpi_job_history WHERE binding_id = @binding AND status = 'success'", new { binding });
}
