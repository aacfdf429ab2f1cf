using Google.Protobuf.WellKnownTypes;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Sla;

/// <summary>What is promised of a run: how long it takes, and by when it is there.</summary>
public sealed class RunPromiseTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_that_takes_longer_warns_or_breaches_and_a_quick_one_ends_it()
    {
        await using var world = await SlaWorld.StartAsync();
        var binding = await world.PromisedAsync("{ latency: { target: 60s, grace: 30s } }", token: Token);
        await world.PlannedAsync(binding);

        await FreshnessTests.RunAsync(world, binding, lease => Took(lease, 70));
        await world.UntilAsync("SELECT state = 'warn' FROM kpi_sla_clock WHERE binding_id = @binding", new { binding });
        await FreshnessTests.RunAsync(world, binding, lease => Took(lease, 100));
        await world.UntilAsync("SELECT state = 'breach' FROM kpi_sla_clock WHERE binding_id = @binding", new { binding });
        await FreshnessTests.RunAsync(world, binding, lease => Took(lease, 5));
        await world.UntilAsync("SELECT state = 'pass' FROM kpi_sla_clock WHERE binding_id = @binding", new { binding });

        Assert.Equal("latency breached recovered", await world.EpisodesAsync(binding));
        Assert.Equal("false true false", await world.OneAsync<string>(
            "SELECT string_agg(sla_breached::text, ' ' ORDER BY run_id) FROM kpi_job_history WHERE binding_id = @binding", new { binding }));
        Assert.True(await world.OneAsync<bool>(
            "SELECT e.run_id = h.run_id FROM kpi_sla_episode e JOIN kpi_job_history h USING (binding_id) WHERE binding_id = @binding AND h.sla_breached", new { binding }));
        Assert.Equal(0, await world.OneAsync<int>("SELECT count(*)::int FROM kpi_run_notice WHERE kind = 'slow'"));
    }

    [Fact]
    public async Task A_day_that_is_not_delivered_by_its_time_is_a_breach_until_it_is()
    {
        await using var world = await SlaWorld.StartAsync();
        var binding = await world.PromisedAsync("{ availability: { target: \"09:00\", grace: 30m } }", cron: "0 2 * * *", token: Token);
        await world.PlannedAsync(binding);
        Assert.True(await world.OneAsync<bool>(
            "SELECT warn_at AT TIME ZONE 'UTC' = date_trunc('day', warn_at AT TIME ZONE 'UTC') + interval '9 hours' AND needs = warn_at - interval '7 hours' AND due_at = warn_at AND warn_at > now() FROM kpi_sla_clock WHERE binding_id = @binding",
            new { binding }));

        await world.PassAsync(binding, "4 days");
        await world.UntilAsync("SELECT breached_at = opened_at + interval '30 minutes' FROM kpi_sla_episode WHERE binding_id = @binding", new { binding });
        await FreshnessTests.RunAsync(world, binding);
        await world.UntilAsync("SELECT state = 'pass' AND due_at > now() FROM kpi_sla_clock WHERE binding_id = @binding", new { binding });
        Assert.Equal("availability breached recovered", await world.EpisodesAsync(binding));
    }

    [Fact]
    public async Task A_slots_row_says_whether_it_came_in_time()
    {
        await using var world = await SlaWorld.StartAsync();
        var late = await world.PromisedAsync("{ availability: \"00:00\" }", "late", "0 0 * * *", token: Token);
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET next_run_at = date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' WHERE binding_id = @late", new { late });
        await using var agent = await world.AgentAsync();
        await world.ExecuteAsync("SELECT pg_notify('kpi', 'lane ' || abs(lane)) FROM kpi_job_runtime");
        await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync()));
        Assert.True(await world.OneAsync<bool>("SELECT sla_breached FROM kpi_job_history WHERE binding_id = @late AND status = 'success'", new { late }));
    }

    private static Finished Took(Lease lease, int seconds)
    {
        var finished = TestAgent.Success(lease);
        finished.FinishedAt = finished.StartedAt + Duration.FromTimeSpan(TimeSpan.FromSeconds(seconds));
        return finished;
    }
}
