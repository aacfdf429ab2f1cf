using KpiControl.Control.Tests.Leases;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Sla;

public sealed class FreshnessTests
{
    private const string Hour = "{ freshness: { target: 1h, grace: 10m } }";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_breach_is_found_though_nothing_ever_ran_and_no_agent_is_there()
    {
        await using var world = await SlaWorld.StartAsync();
        var binding = await world.PromisedAsync(Hour, token: Token);
        await world.PlannedAsync(binding);
        Assert.Equal("pass", (await world.Node.Jobs().GetJobAsync(new GetJobRequest { BindingId = binding }, cancellationToken: Token)).SlaState);

        await world.PassAsync(binding, "65 minutes");
        await world.UntilAsync("SELECT count(*) = 1 FROM kpi_sla_episode WHERE binding_id = @binding AND breached_at IS NULL", new { binding });
        Assert.Equal("warn", (await world.Node.Jobs().GetJobAsync(new GetJobRequest { BindingId = binding }, cancellationToken: Token)).SlaState);
        await world.PassAsync(binding, "6 minutes");
        await world.UntilAsync("SELECT breached_at IS NOT NULL FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });

        Assert.Equal("freshness breached", await world.EpisodesAsync(binding));
        Assert.Equal("breach", (await world.Node.Jobs().GetJobAsync(new GetJobRequest { BindingId = binding }, cancellationToken: Token)).SlaState);
    }

    [Fact]
    public async Task A_breach_while_no_node_ran_is_recorded_for_its_instant_at_start()
    {
        await using var world = await SlaWorld.StartAsync();
        var binding = await world.PromisedAsync(Hour, token: Token);
        await world.PlannedAsync(binding);
        await world.Node.StopAsync();

        await world.PassAsync(binding, "3 days");
        await world.AddNodeAsync("node-2", SlaWorld.Often);
        await world.UntilAsync("SELECT breached_at IS NOT NULL FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });

        Assert.True(await world.OneAsync<bool>(
            """
            SELECT e.opened_at = c.armed_at + interval '1 hour' AND e.breached_at = c.armed_at + interval '70 minutes' AND e.breach_recorded_at > e.breached_at + interval '2 days'
              FROM kpi_sla_episode e JOIN kpi_sla_clock c USING (binding_id, clock) WHERE binding_id = @binding
            """, new { binding }));
        Assert.Equal("freshness breached", await world.EpisodesAsync(binding));
    }

    [Fact]
    public async Task A_success_ends_the_episode_and_moves_nothing_that_an_index_reads()
    {
        await using var world = await SlaWorld.StartAsync();
        var binding = await world.PromisedAsync(Hour, token: Token);
        await world.PlannedAsync(binding);
        await world.PassAsync(binding, "2 hours");
        await world.UntilAsync("SELECT breached_at IS NOT NULL FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });

        await RunAsync(world, binding);
        await world.UntilAsync("SELECT resolved_at IS NOT NULL FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });

        Assert.Equal("freshness breached recovered", await world.EpisodesAsync(binding));
        Assert.True(await world.OneAsync<bool>(
            "SELECT e.resolved_at = h.recorded_at FROM kpi_sla_episode e JOIN kpi_job_history h USING (binding_id) WHERE binding_id = @binding AND h.status = 'success'", new { binding }));
        Assert.True(await world.OneAsync<bool>("SELECT c.due_at = rt.good_through + interval '1 hour' FROM kpi_sla_clock c JOIN kpi_job_runtime rt USING (binding_id) WHERE binding_id = @binding", new { binding }));

        // The next success leaves the clock alone: it is looked at when it is due, and found to hold.
        var due = await world.OneAsync<DateTime>("SELECT due_at FROM kpi_sla_clock WHERE binding_id = @binding", new { binding });
        await RunAsync(world, binding);
        Assert.Equal(due, await world.OneAsync<DateTime>("SELECT due_at FROM kpi_sla_clock WHERE binding_id = @binding", new { binding }));
    }

    [Fact]
    public async Task A_clock_that_is_due_and_holds_is_set_further_without_an_episode()
    {
        await using var world = await SlaWorld.StartAsync();
        var binding = await world.PromisedAsync(Hour, token: Token);
        await world.PlannedAsync(binding);
        await RunAsync(world, binding);
        // Only the clock: as if it had been armed long before the success.
        await world.ExecuteAsync(
            "UPDATE kpi_sla_clock SET due_at = now() + interval '1 ms', warn_at = now() + interval '1 ms', breach_at = now() + interval '10 min', needs = now() - interval '1 hour' WHERE binding_id = @binding", new { binding });
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET last_run_at = now() - interval '1 minute' WHERE binding_id = @binding", new { binding });
        await world.UntilAsync("SELECT c.due_at = rt.good_through + interval '1 hour' FROM kpi_sla_clock c JOIN kpi_job_runtime rt USING (binding_id) WHERE binding_id = @binding", new { binding });
        Assert.Equal("", await world.EpisodesAsync(binding));
    }

    [Fact]
    public async Task A_result_that_came_after_the_breach_does_not_hide_it_from_a_late_look()
    {
        await using var world = await SlaWorld.StartAsync(("Sla:SweepEvery", "00:00:30"));
        var binding = await world.PromisedAsync(Hour, token: Token);
        // As the sweep would leave it, had it looked: then time passes, and the result comes before anybody looks again.
        await world.ExecuteAsync(
            """
            UPDATE kpi_sla_clock SET replan = false, armed_at = now() - interval '2 hours', warn_at = now() - interval '1 hour', breach_at = now() - interval '50 minutes', due_at = now() - interval '1 hour',
                   needs = now() - interval '2 hours' + interval '1 microsecond', target = '1 hour', grace = '10 minutes' WHERE binding_id = @binding
            """, new { binding });
        await RunAsync(world, binding);
        await world.AddNodeAsync("node-2", SlaWorld.Often);
        await world.UntilAsync("SELECT count(*) = 1 FROM kpi_sla_episode WHERE binding_id = @binding AND resolved_at IS NOT NULL", new { binding });
        Assert.Equal("freshness breached recovered", await world.EpisodesAsync(binding));
    }

    [Fact]
    public async Task Many_nodes_that_look_at_once_open_one_episode()
    {
        await using var world = await SlaWorld.StartAsync();
        var bindings = new List<long>();
        for (var i = 0; i < 20; i++)
            bindings.Add(await world.PromisedAsync(Hour, $"promised_{i}", token: Token));
        foreach (var binding in bindings)
            await world.PlannedAsync(binding);
        foreach (var name in new[] { "node-2", "node-3" })
            await world.AddNodeAsync(name, ("Sla:SweepEvery", "00:00:00.05"));

        await world.ExecuteAsync(
            "UPDATE kpi_sla_clock SET due_at = now() - interval '1 h', warn_at = now() - interval '1 h', breach_at = now() - interval '50 min', needs = now() - interval '2 h'");
        await world.UntilAsync("SELECT count(*) = 20 FROM kpi_sla_clock WHERE state = 'breach'");
        Assert.Equal(20, await world.OneAsync<int>("SELECT count(*)::int FROM kpi_sla_episode"));
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET good_through = now()");
        await world.UntilAsync("SELECT count(*) = 20 FROM kpi_sla_clock WHERE state = 'pass'");
        Assert.Equal(20, await world.OneAsync<int>("SELECT count(*)::int FROM kpi_sla_episode WHERE resolution = 'recovered'"));
    }

    [Fact]
    public async Task A_job_that_is_not_scheduled_has_no_clock_and_counts_anew_when_it_is_again()
    {
        await using var world = await SlaWorld.StartAsync();
        var binding = await world.PromisedAsync(Hour, token: Token);
        await world.PlannedAsync(binding);
        await world.PassAsync(binding, "2 hours");
        await world.UntilAsync("SELECT breached_at IS NOT NULL FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });

        await world.Node.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = binding, ActiveFlag = false }, cancellationToken: Token);
        await world.UntilAsync("SELECT state = 'off' AND due_at IS NULL FROM kpi_sla_clock WHERE binding_id = @binding", new { binding });
        Assert.Equal("freshness breached retired", await world.EpisodesAsync(binding));
        Assert.Equal("none", (await world.Node.Jobs().GetJobAsync(new GetJobRequest { BindingId = binding }, cancellationToken: Token)).SlaState);

        await world.Node.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = binding, ActiveFlag = true }, cancellationToken: Token);
        await world.UntilAsync("SELECT state = 'pass' AND due_at = armed_at + interval '1 hour' AND due_at > now() + interval '50 minutes' FROM kpi_sla_clock WHERE binding_id = @binding", new { binding });
    }

    [Fact]
    public async Task A_paused_job_goes_on_being_watched()
    {
        await using var world = await SlaWorld.StartAsync();
        var binding = await world.PromisedAsync(Hour, token: Token);
        await world.PlannedAsync(binding);
        await world.Node.Jobs().PauseJobAsync(new PauseJobRequest { BindingId = binding, Reason = "maintenance" }, cancellationToken: Token);
        await world.PassAsync(binding, "2 hours");
        await world.UntilAsync("SELECT breached_at IS NOT NULL FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });
    }

    [Fact]
    public async Task A_promise_that_is_changed_or_dropped_ends_what_it_said()
    {
        await using var world = await SlaWorld.StartAsync();
        var binding = await world.PromisedAsync(Hour, token: Token);
        await world.PlannedAsync(binding);
        await world.PassAsync(binding, "2 hours");
        await world.UntilAsync("SELECT breached_at IS NOT NULL FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });

        await UpdateAsync("{ freshness: { target: 3h, grace: 10m } }");
        await world.UntilAsync("SELECT resolution = 'changed' FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });
        await world.UntilAsync("SELECT due_at = armed_at + interval '3 hours' AND target = '3 hours' FROM kpi_sla_clock WHERE binding_id = @binding", new { binding });
        await world.PassAsync(binding, "2 hours");
        await world.UntilAsync("SELECT count(*) = 2 FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });
        await UpdateAsync("{ latency: 1h }");
        Assert.Equal("freshness breached changed, freshness breached changed", await world.EpisodesAsync(binding));

        Task UpdateAsync(string sla) => world.Node.Jobs().UpdateJobAsync(
            new UpdateJobRequest { BindingId = binding, Content = SampleTexts.Simple("promised", ByTheClock.Yearly, $"sla: {sla}") }, cancellationToken: Token).ResponseAsync;
    }

    internal static async Task RunAsync(LeaseWorld world, long binding, Func<Lease, Finished>? report = null)
    {
        await using var agent = await world.AgentAsync($"agent-{Guid.NewGuid():N}");
        await world.Node.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding }, cancellationToken: Token);
        await agent.FinishAsync((report ?? TestAgent.Success)(await agent.LeaseAsync()));
    }
}
