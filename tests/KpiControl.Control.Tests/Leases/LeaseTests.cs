using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Outcome = KpiControl.Protocol.V1.FinishedAck.Types.Outcome;

namespace KpiControl.Control.Tests.Leases;

public sealed class LeaseTests
{
    [Fact]
    public async Task A_due_slot_is_leased_and_its_result_is_acknowledged_history()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();

        var lease = await agent.LeaseAsync();
        var ack = await agent.FinishAsync(TestAgent.Success(lease));

        Assert.Equal(Outcome.Recorded, ack.Outcome);
        Assert.Equal(binding, lease.BindingId);
        Assert.Equal("hourly", lease.JobId);
        Assert.Contains("\"kpi_id\":\"CFO-EF-02\"", lease.CallJson);
        Assert.NotEmpty(lease.ContractJson);
        Assert.Equal(["success"], await world.HistoryAsync(binding));
        Assert.Equal(1, await world.OneAsync<int>("SELECT count(*) FROM kpi_chained WHERE kind = 'h' AND id = @run", new { run = lease.Fence.Number }));
    }

    [Fact]
    public async Task A_report_that_is_sent_again_is_recorded_once()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();
        var lease = await agent.LeaseAsync();

        await agent.FinishAsync(TestAgent.Success(lease));
        var again = await agent.FinishAsync(TestAgent.Success(lease));
        var other = await agent.FinishAsync(TestAgent.Failure(lease));

        Assert.Equal(Outcome.AlreadyRecorded, again.Outcome);
        Assert.Equal(Outcome.Refused, other.Outcome);
        Assert.Equal(["success"], await world.HistoryAsync(binding));
        Assert.Equal("refused", await world.OneAsync<string>("SELECT kind FROM kpi_evidence WHERE binding_id = @binding AND kind <> 'run'", new { binding }));
    }

    [Fact]
    public async Task A_stale_fence_cannot_complete()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var slow = await world.AgentAsync("agent-slow");
        var first = await slow.LeaseAsync();

        // Silent for longer than its TTL and grace: the lease goes to the next agent.
        await using var quick = await world.AgentAsync("agent-quick");
        using var alive = new PeriodicHeartbeat(quick);
        var second = await quick.LeaseAsync();
        await using var late = await world.AgentAsync("agent-slow", credit: 0);
        var ack = await late.FinishAsync(TestAgent.Success(first));

        Assert.Equal(Outcome.Stale, ack.Outcome);
        Assert.Equal(second.Fence, ack.CurrentFence);
        Assert.True(second.Fence.Number > first.Fence.Number);
        Assert.Equal(first.SlotKey, second.SlotKey);
        Assert.Equal(["lost(lease_lost) again"], await world.HistoryAsync(binding));
        Assert.Equal("stale_fence", await world.OneAsync<string>("SELECT kind FROM kpi_evidence WHERE binding_id = @binding", new { binding }));
        Assert.Equal(Outcome.Recorded, (await quick.FinishAsync(TestAgent.Success(second))).Outcome);
        Assert.Equal(["lost(lease_lost) again", "success"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task Expiry_alone_refuses_nothing()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        var instance = Guid.NewGuid();
        await using var agent = await world.AgentAsync(instance: instance);
        var lease = await agent.LeaseAsync();
        await world.UntilAsync("SELECT occ_state = 'R' FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });

        await using var back = await world.AgentAsync(instance: instance, credit: 0);
        var ack = await back.FinishAsync(TestAgent.Success(lease));

        Assert.Equal(Outcome.Recorded, ack.Outcome);
        Assert.Equal(["success"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task A_failure_is_tried_again_while_tries_are_left()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly, more: "retry: { max_retries: 1, backoff: none }"), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync(credit: 2);
        using var alive = new PeriodicHeartbeat(agent);

        await agent.FinishAsync(TestAgent.Failure(await agent.LeaseAsync()));
        var retry = await agent.LeaseAsync(2);
        await agent.FinishAsync(TestAgent.Failure(retry));

        Assert.Equal(2, retry.TryNumber);
        Assert.Equal(["failed again", "failed"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task A_dependency_that_is_not_ready_burns_no_retry_and_gives_up_in_time()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly, more: "retry: { max_retries: 1, initial: 1s, backoff: fixed }"), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync(credit: 3);
        using var alive = new PeriodicHeartbeat(agent);

        await agent.FinishAsync(TestAgent.Failure(await agent.LeaseAsync(), "NOT_READY", "scheduler"));
        var again = await agent.LeaseAsync(2);
        await agent.FinishAsync(TestAgent.Failure(again, "NOT_READY", "scheduler"));
        Assert.Equal(1, again.TryNumber);
        Assert.True(await world.OneAsync<bool>("SELECT occ_deadline > now() AND retry_count = 0 AND occ_reason = 1 FROM kpi_job_runtime"));

        await world.ExecuteAsync("UPDATE kpi_job_runtime SET occ_deadline = now(), occ_retry_at = now() + interval '1 hour'; UPDATE kpi_parked SET deadline = now(), ready_at = now() + interval '1 hour'");
        await world.UntilAsync("SELECT occ_state IS NULL FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });

        Assert.Equal(["failed again", "failed again", "skipped(not_ready)"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task A_session_gets_no_more_leases_than_its_credit()
    {
        await using var world = await LeaseWorld.StartAsync();
        await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour, count: 10);
        await using var agent = await world.AgentAsync(credit: 3);
        using var alive = new PeriodicHeartbeat(agent);

        await agent.LeaseAsync(3);
        await agent.FinishAsync(TestAgent.Success(agent.Leases[0]));
        Assert.Equal(3, agent.Leases.Count);

        await agent.CreditAsync(7);
        await agent.LeaseAsync(10);
        Assert.Equal(10, agent.Leases.Select(l => l.BindingId).Distinct().Count());
    }

    [Fact]
    public async Task A_resumed_session_keeps_what_it_holds_and_gives_back_what_it_never_got()
    {
        await using var world = await LeaseWorld.StartAsync();
        await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour, count: 2);
        var instance = Guid.NewGuid();
        var agent = await world.AgentAsync(instance: instance, credit: 2);
        await agent.LeaseAsync(2);
        var (held, forgotten) = (agent.Leases[0], agent.Leases[1]);
        await agent.DisposeAsync();

        await using var resumed = await world.AgentAsync(instance: instance, credit: 1, held: TestAgent.Holding(held));
        using var alive = new PeriodicHeartbeat(resumed);
        var again = await resumed.LeaseAsync();

        Assert.Equal(agent.Welcome.SessionId, resumed.Welcome.SessionId);
        Assert.Equal(2, resumed.Welcome.Generation);
        Assert.Empty(resumed.Welcome.LostAttempts);
        Assert.Equal(forgotten.BindingId, again.BindingId);
        Assert.Equal(Outcome.Recorded, (await resumed.FinishAsync(TestAgent.Success(held))).Outcome);
    }

    [Fact]
    public async Task Another_instance_under_a_live_agent_name_is_refused()
    {
        await using var world = await LeaseWorld.StartAsync();
        await using var first = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(first);

        var refused = await Assert.ThrowsAsync<Grpc.Core.RpcException>(() => world.AgentAsync());

        Assert.Equal(Grpc.Core.StatusCode.AlreadyExists, refused.StatusCode);
    }

    [Fact]
    public async Task An_agent_of_another_region_or_tenant_sees_nothing()
    {
        await using var world = await LeaseWorld.StartAsync();
        await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var elsewhere = await world.AgentAsync("agent-us", "us");
        await using var stranger = await TestAgent.ConnectAsync(world.Node.Channel(world.Issuer.AgentToken("agent-x", "eu", "globex")), "agent-x", "eu", credit: 1);
        using var alive = new PeriodicHeartbeat(elsewhere, stranger);

        // The slot is shown to wait for an agent, which happens after it was offered to all that are there.
        await world.UntilAsync("SELECT occ_state = 'R' AND occ_reason = 3 FROM kpi_job_runtime");

        Assert.Empty(elsewhere.Leases);
        Assert.Empty(stranger.Leases);
        await using var agent = await world.AgentAsync();
        using var heard = new PeriodicHeartbeat(agent);
        var lease = await agent.LeaseAsync();
        var theft = TestAgent.Success(lease);
        Assert.Equal(Outcome.Refused, (await stranger.FinishAsync(theft)).Outcome);
        Assert.Equal(Outcome.Refused, (await elsewhere.FinishAsync(theft)).Outcome);
        Assert.Equal(Outcome.Recorded, (await agent.FinishAsync(theft)).Outcome);
    }

    [Fact]
    public async Task A_slot_that_comes_due_while_the_former_runs_is_skipped_for_overlap()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("secondly", "* * * * * *"), "date_trunc('second', now())");
        await using var agent = await world.AgentAsync(credit: 5);
        using var alive = new PeriodicHeartbeat(agent);
        var lease = await agent.LeaseAsync();

        await world.UntilAsync("SELECT count(*) > 1 FROM kpi_job_history WHERE reason = 'overlap'");

        Assert.Single(agent.Leases);
        Assert.All(await world.HistoryAsync(binding), row => Assert.StartsWith("skipped", row));
        Assert.Equal(Outcome.Recorded, (await agent.FinishAsync(TestAgent.Success(lease))).Outcome);
        await agent.LeaseAsync(2);
    }

    [Fact]
    public async Task Two_nodes_on_one_database_both_grant()
    {
        await using var world = await LeaseWorld.StartAsync();
        var second = await world.AddNodeAsync("node-2");
        await using var here = await world.AgentAsync("agent-1", credit: 50);
        await using var there = await world.AgentAsync("agent-2", credit: 50, node: second);
        using var alive = new PeriodicHeartbeat(here, there);

        await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour, count: 100);
        await here.LeaseAsync(50);
        await there.LeaseAsync(50);

        Assert.Equal(100, here.Leases.Concat(there.Leases).Select(l => l.BindingId).Distinct().Count());
        Assert.Equal(100, here.Leases.Concat(there.Leases).Select(l => l.Fence.Number).Distinct().Count());
    }

    [Fact]
    public async Task A_session_survives_the_move_to_another_node()
    {
        await using var world = await LeaseWorld.StartAsync();
        await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        var second = await world.AddNodeAsync("node-2");
        var instance = Guid.NewGuid();
        await using var agent = await world.AgentAsync(instance: instance, node: second);
        var lease = await agent.LeaseAsync();

        await second.StopAsync();
        await agent.SentAwayAsync();
        await using var moved = await world.AgentAsync(instance: instance, held: TestAgent.Holding(lease));

        Assert.Equal(agent.Welcome.SessionId, moved.Welcome.SessionId);
        Assert.Empty(moved.Welcome.LostAttempts);
        Assert.Equal(Outcome.Recorded, (await moved.FinishAsync(TestAgent.Success(lease))).Outcome);
    }

    [Fact]
    public async Task A_report_that_cannot_be_stored_is_kept_and_its_occurrence_goes_to_another_attempt()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        await world.ExecuteAsync("ALTER TABLE kpi_job_history ADD CHECK (rows_processed <> 666)");
        await using var agent = await world.AgentAsync(credit: 2);
        var poison = TestAgent.Success(await agent.LeaseAsync());
        poison.RowsProcessed = 666;

        Assert.Equal(Outcome.Refused, (await agent.FinishAsync(poison)).Outcome);

        Assert.Equal("refused", await world.OneAsync<string>("SELECT kind FROM kpi_evidence WHERE attempt_id = @attempt", new { attempt = Guid.Parse(poison.AttemptId) }));
        Assert.Equal(Outcome.Recorded, (await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync(2)))).Outcome);
        Assert.Collection((await world.HistoryAsync(binding)).Order(), lost => Assert.Equal("lost(lease_lost) again", lost), kept => Assert.Equal("success", kept));
    }
}
