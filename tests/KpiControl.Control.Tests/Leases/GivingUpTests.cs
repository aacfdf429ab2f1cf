using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Leases;

/// <summary>What is between attempts, or not ready, waits as long as it may and no longer.</summary>
public sealed class GivingUpTests
{
    // Before a slot of the hourly schedule that is to come.
    private static readonly string BeforeASlot = $"occ_state = 'R' AND occ_deadline > now() AND extract(epoch FROM occ_deadline + interval '1 second' - {ByTheClock.LastHour}) % 3600 = 0";
    private const string DeadlineNow = "UPDATE kpi_job_runtime SET occ_deadline = now() - interval '1 second'; UPDATE kpi_parked SET deadline = now() - interval '1 second'";

    [Theory]
    [InlineData(false, "lost(lease_lost) again")]
    [InlineData(true, "lost(returned) again")]
    public async Task A_lease_that_comes_back_where_no_agent_is_gives_up_before_a_slot_and_tells_how_it_came_back(bool returned, string told)
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(Hourly(), ByTheClock.LastHour);
        await using (var agent = await world.AgentAsync())
        {
            using var alive = new PeriodicHeartbeat(agent);
            var lease = await agent.LeaseAsync();
            if (returned)
                await agent.SayAsync(new AgentMessage { Draining = new Draining { ReturnedAttempts = { lease.AttemptId } } });
            await world.UntilAsync("SELECT occ_state = @state FROM kpi_job_runtime", new { state = returned ? "R" : "L" });
            await EndSessionAsync(world, agent);
        }
        await world.UntilAsync($"SELECT occ_reason = 3 AND {BeforeASlot} AND EXISTS (SELECT FROM kpi_parked k WHERE k.deadline = occ_deadline) FROM kpi_job_runtime");

        await world.ExecuteAsync(DeadlineNow);
        await world.UntilAsync("SELECT occ_state IS NULL FROM kpi_job_runtime");

        Assert.Equal([told, "skipped(unroutable)"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task A_lease_that_comes_back_while_all_agents_are_busy_gives_up_before_a_slot()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(Hourly(), ByTheClock.LastHour);
        await using var busy = await world.AgentAsync("agent-busy", credit: 0);
        using var heard = new PeriodicHeartbeat(busy);
        await using (var agent = await world.AgentAsync())
        {
            using var alive = new PeriodicHeartbeat(agent);
            await agent.LeaseAsync();
            await EndSessionAsync(world, agent);
        }
        await world.UntilAsync($"SELECT occ_reason = 5 AND {BeforeASlot} FROM kpi_job_runtime");

        await world.ExecuteAsync(DeadlineNow);
        await world.UntilAsync("SELECT occ_state IS NULL FROM kpi_job_runtime");

        Assert.Equal(["lost(lease_lost) again", "skipped(missed_window)"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task A_retry_that_no_agent_takes_gives_up_before_a_slot_and_not_while_its_job_is_paused()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(Hourly("retry: { max_retries: 3, backoff: none }"), ByTheClock.LastHour);
        await using (var agent = await world.AgentAsync())
        {
            using var alive = new PeriodicHeartbeat(agent);
            await agent.FinishAsync(TestAgent.Failure(await agent.LeaseAsync()));
            await EndSessionAsync(world, agent);
        }
        await world.UntilAsync($"SELECT occ_reason = 3 AND retry_count = 1 AND {BeforeASlot} FROM kpi_job_runtime");

        await world.Node.Jobs().PauseJobAsync(new PauseJobRequest { BindingId = binding, Reason = "close of books" });
        Assert.True(await world.OneAsync<bool>("SELECT occ_state = 'R' AND occ_deadline IS NULL AND NOT EXISTS (SELECT FROM kpi_parked WHERE deadline IS NOT NULL) FROM kpi_job_runtime"));

        await world.Node.Jobs().ResumeJobAsync(new ResumeJobRequest { BindingId = binding, Reason = "books are closed" });
        await world.UntilAsync($"SELECT {BeforeASlot} FROM kpi_job_runtime");
        await world.ExecuteAsync(DeadlineNow);
        await world.UntilAsync("SELECT occ_state IS NULL FROM kpi_job_runtime");

        Assert.Equal(["failed again", "skipped(unroutable)"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task A_slot_of_the_past_that_is_not_ready_waits_from_its_first_try_on_and_is_not_given_more_by_the_next()
    {
        await using var world = await LeaseWorld.StartAsync();
        await world.Seed.BindAsync(Hourly("retry: { max_retries: 1, initial: 1s, backoff: fixed }\ndependencies: { wait_timeout: 30m }", "  catchup: all"), $"{ByTheClock.LastHour} - interval '5 hours'");
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        var first = await agent.LeaseAsync();
        Assert.True(first.ScheduledFor.ToDateTimeOffset() < TimeProvider.System.GetUtcNow() - TimeSpan.FromHours(4));

        await agent.FinishAsync(TestAgent.Failure(first, "NOT_READY", "scheduler"));
        Assert.True(await world.OneAsync<bool>("SELECT occ_deadline > now() + interval '25 minutes' AND occ_deadline < now() + interval '30 minutes' FROM kpi_job_runtime"));
        // Told apart from whatever would be computed anew.
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET occ_deadline = '2999-01-01'; UPDATE kpi_parked SET deadline = '2999-01-01'");
        await agent.CreditAsync(1);
        await agent.FinishAsync(TestAgent.Failure(await agent.LeaseAsync(2), "NOT_READY", "scheduler"));

        Assert.True(await world.OneAsync<bool>("SELECT occ_state = 'R' AND occ_deadline = '2999-01-01' AND EXISTS (SELECT FROM kpi_parked k WHERE k.deadline = occ_deadline) FROM kpi_job_runtime"));
    }

    [Fact]
    public async Task What_is_caught_up_with_where_no_agent_comes_for_long_is_unroutable_one_after_the_other()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:UnroutableGivesUpAfter", "00:00:01"));
        var binding = await world.Seed.BindAsync(Hourly(schedule: "  catchup: all"), $"{ByTheClock.LastHour} - interval '2 hours'", region: "us");

        await world.UntilAsync("SELECT count(*) >= 2 FROM kpi_job_history WHERE binding_id = @binding", new { binding });

        Assert.Equal(["skipped(unroutable)", "skipped(unroutable)"], (await world.HistoryAsync(binding)).Take(2));
    }

    [Fact]
    public async Task A_lease_of_the_last_slot_that_comes_back_where_no_agent_is_does_not_wait_for_ever_either()
    {
        await using var world = await LeaseWorld.StartAsync();
        await world.Seed.BindAsync(Hourly(schedule: $"  end_at: \"{ByTheClock.LastSlot.AddMinutes(30):yyyy-MM-dd'T'HH:mm}:00Z\""), ByTheClock.LastHour);
        await using (var agent = await world.AgentAsync())
        {
            using var alive = new PeriodicHeartbeat(agent);
            await agent.LeaseAsync();
            await EndSessionAsync(world, agent);
        }

        await world.UntilAsync("SELECT occ_state = 'R' AND occ_reason = 3 AND occ_deadline > now() + interval '23 hours' FROM kpi_job_runtime");
    }

    private static string Hourly(string more = "", string schedule = "") => BindingSeed.Job("hourly", ByTheClock.Hourly, schedule, more);

    // As the node does that finds the agent silent.
    private static Task EndSessionAsync(LeaseWorld world, TestAgent agent) =>
        world.ExecuteAsync("UPDATE kpi_session SET ended_at = now(), end_reason = 'silent' WHERE session_id = @SessionId", new { agent.Welcome.SessionId });
}
