using KpiControl.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Outcome = KpiControl.Protocol.V1.FinishedAck.Types.Outcome;

namespace KpiControl.Control.Tests.Leases;

/// <summary>Nodes that die, or meet their own name.</summary>
public sealed class NodeTests
{
    [Fact]
    public async Task A_dead_nodes_leases_go_to_an_agent_elsewhere_under_the_next_fence()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), $"{ByTheClock.LastHour} + interval '1 hour'");
        var session = await world.DeadNodeAsync(leaseOf: binding);
        var held = await world.OneAsync<long>("SELECT fence_n FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        await using var agent = await world.AgentAsync("agent-2");
        using var alive = new PeriodicHeartbeat(agent);

        var lease = await agent.LeaseAsync();

        Assert.Equal("node_lost", await world.OneAsync<string>("SELECT end_reason FROM kpi_session WHERE session_id = @session", new { session }));
        Assert.True(lease.Fence.Number > held);
        Assert.Equal(["lost(lease_lost) again"], await world.HistoryAsync(binding));
        Assert.Equal(Outcome.Recorded, (await agent.FinishAsync(TestAgent.Success(lease))).Outcome);
    }

    [Fact]
    public async Task A_dead_nodes_session_resumes_on_another_node_with_what_it_holds()
    {
        await using var world = await LeaseWorld.StartAsync();
        var (binding, instance) = (await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), $"{ByTheClock.LastHour} + interval '1 hour'"), Guid.NewGuid());
        // Within the grace after its node's lease ran out: nobody has ended it yet.
        var session = await world.DeadNodeAsync("now() + interval '1 hour'", binding, instance);
        var attempt = await world.OneAsync<Guid>("SELECT attempt_id FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        var fence = await world.OneAsync<long>("SELECT fence_n FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        var held = new KpiControl.Protocol.V1.HeldAttempt { AttemptId = attempt.ToString(), BindingId = binding, Fence = new() { Epoch = 1, Number = fence } };

        await using var resumed = await world.AgentAsync("agent-dead", instance: instance, held: held);
        await world.ExecuteAsync("UPDATE kpi_node SET expires_at = now() - interval '1 hour' WHERE name = 'dead'");
        using var alive = new PeriodicHeartbeat(resumed);
        var since = await world.OneAsync<DateTime>("SELECT now()");
        await world.UntilAsync("SELECT reclaimer_passed_at > @since + interval '1 second' FROM kpi_cluster", new { since });

        Assert.Equal((session, 2), (resumed.Welcome.SessionId, resumed.Welcome.Generation));
        Assert.Empty(resumed.Welcome.LostAttempts);
        var report = new KpiControl.Protocol.V1.Finished { AttemptId = attempt.ToString(), BindingId = binding, Fence = held.Fence, Status = "success", Executor = "test", AgentBuild = "test" };
        Assert.Equal(Outcome.Recorded, (await resumed.FinishAsync(report)).Outcome);
        Assert.Equal(["success"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task Of_two_processes_with_one_node_name_the_older_stops_and_its_sessions_move()
    {
        await using var world = await LeaseWorld.StartAsync();
        await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        var (older, instance) = (world.Node, Guid.NewGuid());
        await using var agent = await world.AgentAsync(instance: instance);
        using var alive = new PeriodicHeartbeat(agent);
        var lease = await agent.LeaseAsync();

        var newer = await world.AddNodeAsync("node-1");
        await world.UntilLoggedAsync("Another process took the node name node-1");
        // What Program does when the application is told to stop.
        Assert.True(older.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested);
        var stopping = older.StopAsync();
        await agent.SentAwayAsync();
        await using var moved = await world.AgentAsync(instance: instance, node: newer, held: TestAgent.Holding(lease));
        using var heard = new PeriodicHeartbeat(moved);

        Assert.Equal(agent.Welcome.SessionId, moved.Welcome.SessionId);
        Assert.Equal(Outcome.Recorded, (await moved.FinishAsync(TestAgent.Success(lease))).Outcome);
        await stopping;
    }

    [Fact]
    public async Task A_session_that_ends_with_its_node_taken_for_dead_is_told_on_its_stream_and_a_new_one_opens()
    {
        // The slow poll stays slow: what is heard within the test's patience, a notification told.
        await using var world = await LeaseWorld.StartAsync(("Leases:PollEvery", "00:05:00"));
        var (binding, instance) = (await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour), Guid.NewGuid());
        await using var agent = await world.AgentAsync(instance: instance);
        using var alive = new PeriodicHeartbeat(agent);
        var lease = await agent.LeaseAsync();

        // As after both were suspended: to the others, the session is of a node that was replaced long ago.
        await world.ExecuteAsync("UPDATE kpi_session SET node_generation = 0; UPDATE kpi_node SET started_at = now() - interval '1 hour'");

        Assert.Contains("has ended", (await agent.NextAsync(m => m.Reconnect is not null)).Reconnect.Reason, StringComparison.Ordinal);
        Assert.Equal(Grpc.Core.StatusCode.Unavailable, (await agent.Ended.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken)).StatusCode);
        await using var again = await world.AgentAsync(instance: instance, credit: 1, held: TestAgent.Holding(lease));
        using var heard = new PeriodicHeartbeat(again);
        Assert.NotEqual(agent.Welcome.SessionId, again.Welcome.SessionId);
        Assert.Equal([lease.AttemptId], again.Welcome.LostAttempts);
        Assert.Equal(binding, (await again.LeaseAsync()).BindingId);
    }

    [Theory]
    [InlineData("ended_at = now(), end_reason = 'node_lost'")]
    [InlineData("generation = generation + 1")]
    public async Task A_session_that_ended_or_moved_without_a_word_is_found_by_the_poll(string meanwhile)
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:PollEvery", "00:00:00.3"));
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);

        await world.ExecuteAsync($"UPDATE kpi_session SET {meanwhile}");

        Assert.Equal(Grpc.Core.StatusCode.Unavailable, (await agent.Ended.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken)).StatusCode);
    }

    [Fact]
    public async Task A_node_that_cannot_extend_itself_stops_answering_heartbeats_after_the_grace()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:Ttl", "00:05:00"));
        await using var agent = await world.AgentAsync();
        await using var connection = await world.Database.OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var cutOff = new Npgsql.NpgsqlCommand("SELECT FROM kpi_node FOR NO KEY UPDATE", connection, transaction);
        await cutOff.ExecuteNonQueryAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));

        while (await IsAnsweredAsync(agent))
            limit.Token.ThrowIfCancellationRequested();

        await transaction.RollbackAsync();
        Assert.NotNull((await HeardAgainAsync(agent)).HeartbeatAck);
    }

    // What is not a report is refused at once, whatever the database: by then the heartbeat before it was answered, or was not.
    private static async Task<bool> IsAnsweredAsync(TestAgent agent)
    {
        await agent.HeartbeatAsync();
        await agent.SayAsync(TestAgent.Report(new KpiControl.Protocol.V1.Finished()));
        if ((await agent.NextAsync(m => m.HeartbeatAck is not null || m.FinishedAcks is not null)).HeartbeatAck is null)
            return false;
        await agent.NextAsync(m => m.FinishedAcks is not null);
        return true;
    }

    private static async Task<KpiControl.Protocol.V1.ControlMessage> HeardAgainAsync(TestAgent agent)
    {
        using var alive = new PeriodicHeartbeat(agent);
        return await agent.NextAsync(m => m.HeartbeatAck is not null);
    }
}
