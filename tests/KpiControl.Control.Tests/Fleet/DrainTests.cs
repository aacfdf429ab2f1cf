using Grpc.Core;
using KpiControl.Control.Tests.Leases;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Control.Tests.Fleet;

/// <summary>An operator takes an agent out of service: it finishes what it holds, gets nothing more wherever it connects, and is put back.</summary>
public sealed class DrainTests
{
    private static readonly (string, string) QuickPoll = ("Leases:PollEvery", "00:00:00.3");

    [Fact]
    public async Task A_drained_agent_finishes_what_it_holds_and_gets_no_more_until_it_is_resumed()
    {
        // The slow poll stays slow: what is heard within the test's patience, a notification told.
        await using var world = await LeaseWorld.StartAsync();
        var instance = Guid.NewGuid();
        await world.Seed.BindAsync(BindingSeed.Job("held", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync(instance: instance, credit: 9);
        await using var other = await world.AgentAsync("agent-other", credit: 0);
        using var alive = new PeriodicHeartbeat(agent, other);
        var held = await agent.LeaseAsync();

        var draining = await Fleet(world).DrainAgentAsync(new DrainAgentRequest { Agent = "agent-eu", Reason = "a new disk" });
        Assert.Equal(("draining", 1, "a new disk"), (draining.State, draining.Leased, draining.DrainReason));
        Assert.NotNull(draining.DrainedAt);
        Assert.Equal("a new disk", (await agent.NextAsync(m => m.Drain is not null)).Drain.Reason);

        await other.CreditAsync(1);
        var next = await world.Seed.BindAsync(BindingSeed.Job("next", ByTheClock.Hourly), ByTheClock.LastHour);
        Assert.Equal(next, (await other.LeaseAsync()).BindingId);
        Assert.Equal(FinishedAck.Types.Outcome.Recorded, (await agent.FinishAsync(TestAgent.Success(held))).Outcome);
        Assert.Equal("agent-eu drained 0, agent-other live 1", await ShownAsync(world));

        var resumed = await Fleet(world).ResumeAgentAsync(new ResumeAgentRequest { Agent = "agent-eu" });
        Assert.Equal(("live", null), (resumed.State, resumed.DrainedAt));
        Assert.Contains("drained no more", (await agent.NextAsync(m => m.Reconnect is not null)).Reconnect.Reason);
        await using var again = await world.AgentAsync(instance: instance, credit: 1);
        using var aliveAgain = new PeriodicHeartbeat(again);
        var last = await world.Seed.BindAsync(BindingSeed.Job("last", ByTheClock.Hourly), ByTheClock.LastHour);
        Assert.Equal(last, (await again.LeaseAsync()).BindingId);
        Assert.Single(agent.Leases);
    }

    [Fact]
    public async Task A_drain_outlives_the_node_and_meets_the_agent_on_another_one()
    {
        await using var world = await LeaseWorld.StartAsync();
        var instance = Guid.NewGuid();
        await using (await world.AgentAsync(instance: instance))
            await Fleet(world).DrainAgentAsync(new DrainAgentRequest { Agent = "agent-eu", Reason = "moving" });
        var second = await world.AddNodeAsync("node-2");
        await world.Node.StopAsync();

        await using var agent = await world.AgentAsync(instance: instance, credit: 9, node: second);
        Assert.Equal("moving", (await agent.NextAsync(m => m.Drain is not null)).Drain.Reason);
        await using var other = await world.AgentAsync("agent-other", credit: 1, node: second);
        using var alive = new PeriodicHeartbeat(agent, other);
        await world.Seed.BindAsync(BindingSeed.Job("due", ByTheClock.Hourly), ByTheClock.LastHour);

        await other.LeaseAsync();
        Assert.Empty(agent.Leases);
    }

    [Fact]
    public async Task A_drain_that_nobody_told_of_is_found_and_its_end_too()
    {
        await using var world = await LeaseWorld.StartAsync(QuickPoll);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);

        await world.ExecuteAsync("UPDATE kpi_agent SET drained_at = now(), drained_by = 'test', drain_reason = 'unheard'");
        Assert.Equal("unheard", (await agent.NextAsync(m => m.Drain is not null)).Drain.Reason);
        await world.ExecuteAsync("UPDATE kpi_agent SET drained_at = NULL, drained_by = NULL, drain_reason = NULL");
        await agent.NextAsync(m => m.Reconnect is not null);
    }

    [Fact]
    public async Task A_grant_that_meets_a_drain_waits_for_it_and_grants_nothing()
    {
        await using var world = await LeaseWorld.StartAsync(QuickPoll);
        await using var agent = await world.AgentAsync(credit: 9);
        using var alive = new PeriodicHeartbeat(agent);
        await using var connection = await world.Database.OpenAsync();
        await using var drain = await connection.BeginTransactionAsync();
        await RunAsync(connection, "UPDATE kpi_session SET drained_at = now() WHERE agent = 'agent-eu'");

        var binding = await world.Seed.BindAsync(BindingSeed.Job("raced", ByTheClock.Hourly), ByTheClock.LastHour);
        await world.UntilAsync(Waits);
        await drain.CommitAsync();
        await using var other = await world.AgentAsync("agent-other", credit: 10);
        using var aliveToo = new PeriodicHeartbeat(other);

        Assert.Equal(binding, (await other.LeaseAsync()).BindingId);
        Assert.Empty(agent.Leases);
    }

    [Fact]
    public async Task A_drain_is_answered_when_the_grants_before_it_are_committed_and_counted()
    {
        await using var world = await LeaseWorld.StartAsync();
        await using var agent = await world.AgentAsync(credit: 0);
        using var alive = new PeriodicHeartbeat(agent);
        var binding = await world.Seed.BindAsync(BindingSeed.Job("raced", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var connection = await world.Database.OpenAsync();
        await using var grant = await connection.BeginTransactionAsync();
        await RunAsync(connection, "SELECT FROM kpi_session WHERE agent = 'agent-eu' AND drained_at IS NULL FOR SHARE");
        await RunAsync(connection, $"""
            UPDATE kpi_job_runtime SET occ_state = 'L', occ_scheduled_for = next_run_at, next_run_at = next_run_at + interval '1 hour', occ_kind = 0, occ_business_date = now(), occ_revision = 1,
              session_id = {agent.Welcome.SessionId}, generation = 1, lease_deadline = now() + interval '1 hour', attempt_id = gen_random_uuid(), fence_n = nextval('kpi_fence'), fence_epoch = 1
             WHERE binding_id = {binding}
            """);

        var answer = Fleet(world).DrainAgentAsync(new DrainAgentRequest { Agent = "agent-eu" }).ResponseAsync;
        await world.UntilAsync(Waits);
        Assert.False(answer.IsCompleted);
        await grant.CommitAsync();

        Assert.Equal(("draining", 1), ((await answer).State, (await answer).Leased));
    }

    [Fact]
    public async Task A_drained_agent_is_none_and_what_only_it_could_run_says_so()
    {
        await using var world = await LeaseWorld.StartAsync();
        await using var agent = await world.AgentAsync(credit: 9);
        using var alive = new PeriodicHeartbeat(agent);
        await Fleet(world).DrainAgentAsync(new DrainAgentRequest { Agent = "agent-eu" });
        await agent.NextAsync(m => m.Drain is not null);

        await world.Seed.BindAsync(BindingSeed.Job("unroutable", ByTheClock.Hourly), ByTheClock.LastHour);

        await world.UntilAsync("SELECT occ_state = 'R' AND occ_reason = 3 FROM kpi_job_runtime");
        Assert.Empty(agent.Leases);
    }

    [Fact]
    public async Task Only_an_operator_drains_with_actor_and_reason_in_the_audit_trail_and_a_repeat_changes_nothing()
    {
        await using var world = await LeaseWorld.StartAsync();
        await using var agent = await world.AgentAsync();
        var request = new DrainAgentRequest { Agent = "agent-eu", Reason = "first" };

        var denied = await Refusals.OfAsync(Fleet(world, "admin").DrainAgentAsync(request));
        var unknown = await Refusals.OfAsync(Fleet(world).DrainAgentAsync(new DrainAgentRequest { Agent = "agent-uk" }));
        var nameless = await Refusals.OfAsync(Fleet(world).DrainAgentAsync(new DrainAgentRequest()));
        var rehearsed = await Fleet(world).DrainAgentAsync(new DrainAgentRequest { Agent = "agent-eu", ValidateOnly = true });
        Assert.Equal("live", (await ListAsync(world)).Single().State);
        var first = await Fleet(world).DrainAgentAsync(request);
        var second = await Fleet(world).DrainAgentAsync(new DrainAgentRequest { Agent = "agent-eu", Reason = "second" });
        await Fleet(world).ResumeAgentAsync(new ResumeAgentRequest { Agent = "agent-eu", Reason = "done" });
        await Fleet(world).ResumeAgentAsync(new ResumeAgentRequest { Agent = "agent-eu", Reason = "done twice" });

        Assert.Equal((StatusCode.PermissionDenied, StatusCode.NotFound, StatusCode.InvalidArgument), (denied.StatusCode, unknown.StatusCode, nameless.StatusCode));
        Assert.Equal("drained", rehearsed.State);
        Assert.Equal((first.DrainedAt, "first"), (second.DrainedAt, second.DrainReason));
        Assert.Equal("operator Pause agent agent-eu first true; operator Resume agent agent-eu done false", await world.OneAsync<string>("""
            SELECT string_agg(concat_ws(' ', split_part(actor, '@', 1), verb, object_kind, object_id, reason, after ->> 'drained'), '; ' ORDER BY audit_id) FROM kpi_audit WHERE object_kind = 'agent'
            """));
    }

    // Somebody waits for a lock of the test's transaction.
    private const string Waits = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())";

    private static FleetService.FleetServiceClient Fleet(LeaseWorld world, string principal = "operator") => new(world.Node.Channel(world.Issuer.Token(principal)));

    private static async Task<IReadOnlyList<Agent>> ListAsync(LeaseWorld world) => (await Fleet(world).ListAgentsAsync(new ListAgentsRequest())).Agents;

    private static async Task<string> ShownAsync(LeaseWorld world) =>
        string.Join(", ", (await ListAsync(world)).OrderBy(a => a.Agent_).Select(a => $"{a.Agent_} {a.State} {a.Leased}"));

    private static async Task RunAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
