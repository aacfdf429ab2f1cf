using KpiControl.Control.Tests.Leases;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Schedules;

/// <summary>Slots of a backfill at once, of a job whose runs may stand side by side.</summary>
public sealed class BackfillBesideTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task So_many_run_at_once_as_were_asked_for_and_never_one_more()
    {
        await using var world = await LeaseWorld.StartAsync();
        var made = await BackfillAsync(world, await CreateAsync(world, "parallel"), last: "2026-01-10");
        Assert.Equal((4, 10), (made.Parallelism, made.Total));
        await using var agent = await world.AgentAsync(credit: 20);
        using var alive = new PeriodicHeartbeat(agent);

        for (var ended = 0; ended < 10; ended++)
        {
            var lease = await agent.LeaseAsync(Math.Min(10, ended + 4));
            // All that follows the four is still to be fed, and the feeder has looked since.
            await world.UntilAsync("SELECT count(*) FILTER (WHERE state = 'queued') = least(4, 10 - @ended) FROM kpi_backfill_slot", new { ended });
            Assert.Equal(Math.Min(10, ended + 4), agent.Leases.Count);
            Assert.Equal($"backfill:2026-01-{ended + 2:00}T00:00:00Z", agent.Leases[ended].SlotKey);
            Assert.Equal(FinishedAck.Types.Outcome.Recorded, (await agent.FinishAsync(TestAgent.Success(agent.Leases[ended]))).Outcome);
        }

        await world.UntilAsync("SELECT finished_at IS NOT NULL FROM kpi_backfill");
        Assert.Equal(10, (await world.Node.Jobs().GetBackfillAsync(new GetBackfillRequest { BackfillId = made.BackfillId }, cancellationToken: Token)).Slots["success"]);
        Assert.Equal(10, agent.Leases.Select(lease => lease.SlotKey).Distinct().Count());
    }

    [Fact]
    public async Task A_cancel_stops_all_that_run_and_starts_no_other()
    {
        await using var world = await LeaseWorld.StartAsync();
        var made = await BackfillAsync(world, await CreateAsync(world, "cancelled"), last: "2026-01-10");
        await using var agent = await world.AgentAsync(credit: 20);
        using var alive = new PeriodicHeartbeat(agent);
        await agent.LeaseAsync(4);
        var running = agent.Leases.ToList();

        await world.Node.Jobs().CancelBackfillAsync(new CancelBackfillRequest { BackfillId = made.BackfillId }, cancellationToken: Token);
        var stopped = new List<string>();
        for (var i = 0; i < 4; i++)
            stopped.Add((await agent.NextAsync(m => m.Cancel is not null)).Cancel.AttemptId);
        foreach (var lease in running)
            await agent.FinishAsync(TestAgent.Result(lease, "cancelled"));

        await world.UntilAsync("SELECT finished_at IS NOT NULL FROM kpi_backfill");
        Assert.Equal(running.Select(lease => lease.AttemptId).Order(), stopped.Order());
        Assert.Equal(10, (await world.Node.Jobs().GetBackfillAsync(new GetBackfillRequest { BackfillId = made.BackfillId }, cancellationToken: Token)).Slots["cancelled"]);
        Assert.Equal(4, agent.Leases.Count);
    }

    [Fact]
    public async Task It_goes_on_on_another_node_with_what_ran_and_no_slot_runs_twice()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:Ttl", "00:01:00"));
        var binding = await CreateAsync(world, "restarted");
        var made = await BackfillAsync(world, binding, last: "2026-01-06");
        var instance = Guid.NewGuid();
        IReadOnlyList<Lease> held;
        await using (var agent = await world.AgentAsync(instance: instance, credit: 4))
        {
            await agent.LeaseAsync(4);
            held = [.. agent.Leases];
            await world.Node.StopAsync();
        }
        var second = await world.AddNodeAsync("node-2", ("Leases:Ttl", "00:01:00"));
        await using var moved = await world.AgentAsync(instance: instance, credit: 2, node: second, held: [.. held.Select(TestAgent.Holding)]);
        using var alive = new PeriodicHeartbeat(moved);
        Assert.Empty(moved.Welcome.LostAttempts);
        foreach (var lease in held)
            Assert.Equal(FinishedAck.Types.Outcome.Recorded, (await moved.FinishAsync(TestAgent.Success(lease))).Outcome);
        for (var i = 1; i <= 2; i++)
            await moved.FinishAsync(TestAgent.Success(await moved.LeaseAsync(i)));

        await world.UntilAsync("SELECT finished_at IS NOT NULL FROM kpi_backfill");
        Assert.Equal(6, (await second.Jobs().GetBackfillAsync(new GetBackfillRequest { BackfillId = made.BackfillId }, cancellationToken: Token)).Slots["success"]);
        Assert.Equal(Enumerable.Repeat("success", 6), await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task A_live_slot_of_the_job_runs_beside_it()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await CreateAsync(world, "live");
        await BackfillAsync(world, binding, last: "2026-01-10");
        await using var agent = await world.AgentAsync(credit: 5);
        using var alive = new PeriodicHeartbeat(agent);
        await agent.LeaseAsync(4);

        await world.ExecuteAsync("UPDATE kpi_job_runtime SET next_run_at = date_trunc('day', now()) WHERE binding_id = @binding; SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });

        Assert.Equal("schedule", (await agent.LeaseAsync(5)).TriggerKind);
    }

    private static Task<Backfill> BackfillAsync(LeaseWorld world, long binding, string last) => world.Node.Jobs().BackfillJobAsync(
        new BackfillJobRequest { BindingId = binding, FirstDate = "2026-01-01", LastDate = last, Parallelism = 4, RequestId = Guid.CreateVersion7().ToString() }, cancellationToken: Token).ResponseAsync;

    private static async Task<long> CreateAsync(LeaseWorld world, string jobId)
    {
        await world.Node.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var text = SampleTexts.Simple(jobId, "0 0 * * *").Replace("timezone: UTC", "timezone: UTC, overlap: allow", StringComparison.Ordinal);
        return (await world.Node.Jobs().CreateJobAsync(new CreateJobRequest { Content = text }, cancellationToken: Token)).BindingId;
    }
}
