using Grpc.Core;
using KpiControl.Control.Tests.Leases;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Schedules;

/// <summary>A window of slots that runs (again), and one run that does.</summary>
public sealed class BackfillTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_window_over_a_clock_change_runs_each_slot_once_for_its_business_date_and_a_dry_run_changes_nothing()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await CreateAsync(world, "nightly", "30 2 * * *", "Europe/Berlin");
        var request = new BackfillJobRequest { BindingId = binding, FirstDate = "2026-03-27", LastDate = "2026-03-29", Reason = "restated", RequestId = Guid.CreateVersion7().ToString() };

        var rehearsed = await world.Node.Jobs().BackfillJobAsync(new BackfillJobRequest(request) { RequestId = "", ValidateOnly = true }, cancellationToken: Token);
        Assert.Equal((0, 3, 3), (rehearsed.BackfillId, rehearsed.Total, rehearsed.FirstSlots.Count));
        Assert.Equal(["2026-03-28T01:30:00Z 2026-03-27", "2026-03-29T01:00:00Z 2026-03-28", "2026-03-30T00:30:00Z 2026-03-29"],
            rehearsed.FirstSlots.Select(slot => $"{slot.At.ToDateTimeOffset():yyyy-MM-dd'T'HH:mm:ss'Z'} {slot.BusinessDate}"));
        Assert.Equal(0, await world.OneAsync<long>("SELECT count(*) FROM kpi_backfill"));

        var made = await world.Node.Jobs().BackfillJobAsync(request, cancellationToken: Token);
        Assert.Equal(made, await world.Node.Jobs().BackfillJobAsync(request, cancellationToken: Token));
        Assert.Equal(["backfill:2026-03-28T01:30:00Z 2026-03-27", "backfill:2026-03-29T01:00:00Z 2026-03-28", "backfill:2026-03-30T00:30:00Z 2026-03-29"], await RunAllAsync(world, 3));
        Assert.Equal(3, (await DoneAsync(world, made.BackfillId)).Slots["success"]);

        var again = await world.Node.Jobs().BackfillJobAsync(new BackfillJobRequest(request) { RequestId = "" }, cancellationToken: Token);
        Assert.Equal(3, (await DoneAsync(world, again.BackfillId)).Slots["succeeded_before"]);
        var rerun = await world.Node.Jobs().BackfillJobAsync(new BackfillJobRequest(request) { RequestId = "", RerunSucceeded = true, Order = "newest", LastDate = "2026-03-28" }, cancellationToken: Token);
        // The second backfill did not run them, and still took its microsecond.
        Assert.Equal(["backfill:2026-03-29T01:00:00.000002Z 2026-03-28", "backfill:2026-03-28T01:30:00.000002Z 2026-03-27"], await RunAllAsync(world, 2));
        Assert.Equal("done", (await DoneAsync(world, rerun.BackfillId)).State);
    }

    [Fact]
    public async Task A_live_slot_that_comes_due_while_a_backfill_runs_queues_and_goes_first()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await CreateAsync(world, "beside", "0 0 * * *");
        await world.Node.Jobs().BackfillJobAsync(new BackfillJobRequest { BindingId = binding, FirstDate = "2026-01-01", LastDate = "2026-01-10" }, cancellationToken: Token);
        await using var agent = await world.AgentAsync(credit: 3);
        using var alive = new PeriodicHeartbeat(agent);
        var backfilled = await agent.LeaseAsync();

        await world.ExecuteAsync("UPDATE kpi_job_runtime SET next_run_at = date_trunc('day', now()) WHERE binding_id = @binding; SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        await world.UntilAsync("SELECT queued = 1 FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        await agent.FinishAsync(TestAgent.Success(backfilled));

        var live = await agent.LeaseAsync(2);
        Assert.Equal(("backfill", "schedule"), (backfilled.TriggerKind, live.TriggerKind));
        await agent.FinishAsync(TestAgent.Success(live));
        Assert.Equal("2026-01-02", (await agent.LeaseAsync(3)).BusinessDate);
    }

    [Fact]
    public async Task A_backfill_goes_on_when_its_node_has_died_and_no_slot_runs_twice()
    {
        await using var world = await LeaseWorld.WithoutNodeAsync();
        long id;
        var seen = new List<string>();
        await using (var first = await NodeAsync(world, "node-1"))
        {
            await first.PutContractAsync(SampleTexts.SimpleContract(), Token);
            var binding = (await first.Jobs().CreateJobAsync(new CreateJobRequest { Content = SampleTexts.Simple("restarted", "0 0 1 1 *") }, cancellationToken: Token)).BindingId;
            id = (await first.Jobs().BackfillJobAsync(new BackfillJobRequest { BindingId = binding, FirstDate = "2018-01-01", LastDate = "2025-12-31" }, cancellationToken: Token)).BackfillId;
            await using var agent = await world.AgentAsync(node: first);
            using var alive = new PeriodicHeartbeat(agent);
            for (var i = 1; i <= 3; i++)
            {
                var lease = await agent.LeaseAsync(i);
                seen.Add(lease.BusinessDate);
                await agent.FinishAsync(TestAgent.Success(lease));
                if (i < 3)
                    await agent.CreditAsync(1);
            }
        }
        await using var second = await NodeAsync(world, "node-2");
        await using var next = await world.AgentAsync("agent-next", node: second);
        using var heard = new PeriodicHeartbeat(next);
        for (var i = 1; i <= 5; i++)
        {
            var lease = await next.LeaseAsync(i);
            seen.Add(lease.BusinessDate);
            await next.FinishAsync(TestAgent.Success(lease));
            await next.CreditAsync(1);
        }
        await world.UntilAsync("SELECT finished_at IS NOT NULL FROM kpi_backfill WHERE backfill_id = @id", new { id });

        Assert.Equal(Enumerable.Range(2018, 8).Select(year => $"{year}-12-31"), seen);
        Assert.Equal(8, (await second.Jobs().GetBackfillAsync(new GetBackfillRequest { BackfillId = id }, cancellationToken: Token)).Slots["success"]);
    }

    [Fact]
    public async Task A_cancelled_backfill_stops_the_slot_that_runs_and_starts_no_other()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await CreateAsync(world, "cancelled", "0 0 * * *");
        var made = await world.Node.Jobs().BackfillJobAsync(new BackfillJobRequest { BindingId = binding, FirstDate = "2026-01-01", LastDate = "2026-01-10" }, cancellationToken: Token);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        var lease = await agent.LeaseAsync();

        var cancelling = await world.Node.Jobs().CancelBackfillAsync(new CancelBackfillRequest { BackfillId = made.BackfillId, Reason = "no" }, cancellationToken: Token);
        Assert.Equal(("cancelling", 9), (cancelling.State, cancelling.Slots["cancelled"]));
        await agent.NextAsync(message => message.Cancel is not null);
        await agent.FinishAsync(TestAgent.Result(lease, "cancelled"));

        Assert.Equal(("cancelled", 10), (await DoneAsync(world, made.BackfillId) is var done ? (done.State, done.Slots["cancelled"]) : default));
        var over = await Refusals.OfAsync(world.Node.Jobs().CancelBackfillAsync(new CancelBackfillRequest { BackfillId = made.BackfillId }, cancellationToken: Token));
        Assert.Equal("BACKFILL_OVER", over.Info().Reason);
    }

    [Fact]
    public async Task What_cannot_be_backfilled_is_refused_in_words()
    {
        await using var world = await LeaseWorld.StartAsync();
        var minutely = await CreateAsync(world, "minutely", "* * * * *");
        Task<RpcException> Refused(BackfillJobRequest request) => Refusals.OfAsync(world.Node.Jobs().BackfillJobAsync(request, cancellationToken: Token));

        var huge = await Refused(new BackfillJobRequest { BindingId = minutely, FirstDate = "2026-01-01", LastDate = "2026-06-30" });
        var future = await Refused(new BackfillJobRequest { BindingId = minutely, FirstDate = "2090-01-01", LastDate = "2090-01-02" });
        var parallel = await Refused(new BackfillJobRequest { BindingId = minutely, FirstDate = "2026-01-01", LastDate = "2026-01-01", Parallelism = 4 });
        var order = await Refused(new BackfillJobRequest { BindingId = minutely, FirstDate = "2026-01-02", LastDate = "2026-01-01" });

        Assert.Equal((StatusCode.ResourceExhausted, "TOO_LARGE"), (huge.StatusCode, huge.Info().Reason));
        Assert.Contains("more than 20000 slots", huge.Status.Detail, StringComparison.Ordinal);
        Assert.Equal((StatusCode.FailedPrecondition, "ONE_AT_A_TIME"), (parallel.StatusCode, parallel.Info().Reason));
        Assert.All([future, order, await Refused(new BackfillJobRequest { BindingId = minutely, FirstDate = "2026-01-01", LastDate = "2026-01-01", Parallelism = 17 })], refused => Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode));
    }

    [Fact]
    public async Task A_replay_runs_by_the_runs_own_definition_or_by_the_current_one()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await CreateAsync(world, "replayed", "0 0 1 1 *");
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        await world.Node.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding, BusinessDate = "2026-02-03" }, cancellationToken: Token);
        var first = await agent.LeaseAsync();
        await agent.FinishAsync(TestAgent.Success(first));
        var run = (await world.Node.Jobs().ListRunsAsync(new ListRunsRequest { BindingId = binding }, cancellationToken: Token)).Runs[0].RunId;
        await world.Node.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = binding, Content = SampleTexts.Simple("replayed", "0 0 1 1 *", "description: another") }, cancellationToken: Token);

        var same = await ReplayAsync(world, agent, run, "", 2);
        var current = await ReplayAsync(world, agent, run, "current", 3);

        Assert.Equal(first.ContentHash, same.ContentHash);
        Assert.NotEqual(first.ContentHash, current.ContentHash);
        Assert.All([same, current], lease => Assert.Equal(("replay", "2026-02-03"), (lease.TriggerKind, lease.BusinessDate)));
        Assert.Equal(2, new[] { same.SlotKey, current.SlotKey }.Distinct().Count());
        Assert.Equal(["1", "1", "2"], (await world.Node.Jobs().ListRunsAsync(new ListRunsRequest { BindingId = binding }, cancellationToken: Token)).Runs.Reverse().Select(r => r.ContentHash == first.ContentHash ? "1" : "2"));
    }

    private static async Task<Lease> ReplayAsync(LeaseWorld world, TestAgent agent, long run, string definition, int number)
    {
        await agent.CreditAsync(1);
        await world.Node.Jobs().ReplayRunAsync(new ReplayRunRequest { RunId = run, Definition = definition, RequestId = Guid.CreateVersion7().ToString() }, cancellationToken: Token);
        var lease = await agent.LeaseAsync(number);
        await agent.FinishAsync(TestAgent.Success(lease));
        return lease;
    }

    private static async Task<IReadOnlyList<string>> RunAllAsync(LeaseWorld world, int count)
    {
        await using var agent = await world.AgentAsync($"agent-{Guid.NewGuid():N}"[..14]);
        using var alive = new PeriodicHeartbeat(agent);
        for (var i = 1; i <= count; i++)
        {
            await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync(i)));
            await agent.CreditAsync(1);
        }
        return [.. agent.Leases.Select(lease => $"{lease.SlotKey} {lease.BusinessDate}")];
    }

    private static async Task<Backfill> DoneAsync(LeaseWorld world, long id)
    {
        await world.UntilAsync("SELECT finished_at IS NOT NULL FROM kpi_backfill WHERE backfill_id = @id", new { id });
        return await world.Node.Jobs().GetBackfillAsync(new GetBackfillRequest { BackfillId = id }, cancellationToken: Token);
    }

    private static Task<ControlHost> NodeAsync(LeaseWorld world, string name) => ControlHost.StartAsync(world.Database, world.Issuer,
        ("Leases:Node", name), ("Leases:Ttl", "00:00:06"), ("Leases:HeartbeatEvery", "00:00:00.5"), ("Leases:Grace", "00:00:00.5"), ("Leases:ReclaimEvery", "00:00:00.2"));

    private static async Task<long> CreateAsync(LeaseWorld world, string jobId, string cron, string zone = "UTC")
    {
        await world.Node.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var text = SampleTexts.Simple(jobId, cron).Replace("timezone: UTC", $"timezone: {zone}", StringComparison.Ordinal);
        return (await world.Node.Jobs().CreateJobAsync(new CreateJobRequest { Content = text }, cancellationToken: Token)).BindingId;
    }
}
