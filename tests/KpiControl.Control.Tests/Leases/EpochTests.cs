using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Outcome = KpiControl.Protocol.V1.FinishedAck.Types.Outcome;

namespace KpiControl.Control.Tests.Leases;

/// <summary>A promotion or a restore may have lost what was granted: nothing goes on until an operator says so.</summary>
public sealed class EpochTests
{
    private const string OtherTimeline = "UPDATE kpi_cluster SET timeline = '000000FF'";

    [Fact]
    public async Task On_another_timeline_nothing_is_granted_until_the_epoch_is_bumped()
    {
        await using var world = await LeaseWorld.StartAsync();
        var (leased, due) = (await world.Seed.BindAsync(BindingSeed.Job("before", ByTheClock.Hourly), ByTheClock.LastHour),
            await world.Seed.BindAsync(BindingSeed.Job("after", ByTheClock.Hourly), "timestamptz '2100-01-01'"));
        var instance = Guid.NewGuid();
        await using var agent = await world.AgentAsync(instance: instance, credit: 2);
        using var alive = new PeriodicHeartbeat(agent);
        var before = await agent.LeaseAsync();
        await world.ExecuteAsync(OtherTimeline);

        await world.ExecuteAsync($"UPDATE kpi_job_runtime SET next_run_at = {ByTheClock.LastHour} WHERE binding_id = @due; SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_lane", new { due });
        await world.UntilLoggedAsync("Nothing is granted");
        var told = await world.Node.Jobs().ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = due });

        Assert.Single(agent.Leases);
        Assert.Contains("nothing is granted until an operator bumps the cluster's epoch", told.Answer);
        Assert.Contains(told.Facts, fact => fact.Kind == "epoch");

        await BumpAsync(world);
        await using var again = await ReconnectAsync(world, agent, instance, before);
        using var aliveAgain = new PeriodicHeartbeat(again);
        var after = await again.LeaseAsync();

        Assert.Equal((1, 2), (before.Fence.Epoch, after.Fence.Epoch));
        Assert.True((after.Fence.Epoch, after.Fence.Number).CompareTo((before.Fence.Epoch, before.Fence.Number)) > 0);
        // Nobody has taken it since: what was granted under the epoch before is still the occurrence's.
        Assert.Equal(leased, before.BindingId);
        Assert.Equal(Outcome.Recorded, (await again.FinishAsync(TestAgent.Success(before))).Outcome);
    }

    [Fact]
    public async Task On_another_timeline_nothing_is_acknowledged()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        var instance = Guid.NewGuid();
        await using var agent = await world.AgentAsync(instance: instance);
        using var alive = new PeriodicHeartbeat(agent);
        var lease = await agent.LeaseAsync();
        await world.ExecuteAsync(OtherTimeline);

        await agent.SayAsync(TestAgent.Report(TestAgent.Success(lease)));
        await world.UntilLoggedAsync("nothing is acknowledged until the epoch is bumped");
        Assert.Empty(await world.HistoryAsync(binding));
        await BumpAsync(world);
        await using var again = await ReconnectAsync(world, agent, instance, lease);

        // The stream that it was first reported on ends with the bump, so the answer may have gone nowhere: it is said again.
        var ack = await again.FinishAsync(TestAgent.Success(lease));
        Assert.Contains(ack.Outcome, new[] { Outcome.Recorded, Outcome.AlreadyRecorded });
        Assert.Equal(["success"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task A_result_whose_grant_was_lost_with_it_is_kept_as_evidence_and_its_slot_runs_again()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), ByTheClock.LastHour);
        var instance = Guid.NewGuid();
        Lease lost;
        await using (var agent = await world.AgentAsync(instance: instance))
        {
            lost = await agent.LeaseAsync();
            Assert.Equal(Outcome.Recorded, (await agent.FinishAsync(TestAgent.Success(lost))).Outcome);
        }
        await LoseTailAsync(world, binding, lost);
        await BumpAsync(world);

        // As an agent does that learns of another epoch.
        await using var again = await world.AgentAsync(instance: instance, credit: 0);
        using var alive = new PeriodicHeartbeat(again);
        Assert.Equal(Outcome.Stale, (await again.FinishAsync(TestAgent.Success(lost))).Outcome);
        await again.CreditAsync(1);
        var rerun = await again.LeaseAsync();

        Assert.Equal((lost.SlotKey, 2), (rerun.SlotKey, rerun.Fence.Epoch));
        Assert.Equal(Outcome.Recorded, (await again.FinishAsync(TestAgent.Success(rerun))).Outcome);
        Assert.Equal(["success"], await world.HistoryAsync(binding));
        Assert.Equal(lost.AttemptId, await world.OneAsync<string>("SELECT attempt_id::text FROM kpi_evidence WHERE kind = 'stale_fence'"));
        var told = await world.Node.Jobs().ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = binding, SlotKey = lost.SlotKey });
        Assert.Contains(told.Facts, fact => fact.Kind == "stale_fence" && fact.Text.Contains(lost.AttemptId, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Only_an_operator_bumps_it_with_a_reason_that_is_audited()
    {
        await using var world = await LeaseWorld.StartAsync();
        await world.ExecuteAsync(OtherTimeline);

        var denied = await Refusals.OfAsync(Fleet(world, "admin").BumpEpochAsync(new BumpEpochRequest { Reason = "mine" }));
        var bare = await Refusals.OfAsync(Fleet(world, "operator").BumpEpochAsync(new BumpEpochRequest()));
        var before = await Fleet(world, "admin").GetEpochAsync(new GetEpochRequest());
        var after = await BumpAsync(world);

        Assert.Equal((Grpc.Core.StatusCode.PermissionDenied, Grpc.Core.StatusCode.InvalidArgument), (denied.StatusCode, bare.StatusCode));
        Assert.Equal((1, false, 2, true), (before.Epoch_, before.Stands, after.Epoch_, after.Stands));
        Assert.Equal("* Resume cluster epoch promoted 1 2", await world.OneAsync<string>(
            "SELECT concat_ws(' ', tenant_id, verb, object_kind, object_id, reason, before ->> 'epoch', after ->> 'epoch') FROM kpi_audit WHERE object_kind = 'cluster'"));
    }

    [Fact]
    public async Task Welcome_tells_the_epoch_and_an_open_stream_is_asked_to_hear_another()
    {
        await using var world = await LeaseWorld.StartAsync();
        var instance = Guid.NewGuid();
        await using var agent = await world.AgentAsync(instance: instance);
        using var alive = new PeriodicHeartbeat(agent);
        Assert.Equal(1, agent.Welcome.ClusterEpoch);

        await BumpAsync(world);
        Assert.Contains("epoch rose to 2", (await agent.NextAsync(m => m.Reconnect is not null)).Reconnect.Reason);
        await using var again = await world.AgentAsync(instance: instance);

        Assert.Equal((2, agent.Welcome.SessionId), (again.Welcome.ClusterEpoch, again.Welcome.SessionId));
    }

    /// <summary>Once it was asked to, holding what it had and with credit for one.</summary>
    private static async Task<TestAgent> ReconnectAsync(LeaseWorld world, TestAgent agent, Guid instance, Lease held)
    {
        await agent.NextAsync(m => m.Reconnect is not null);
        return await world.AgentAsync(instance: instance, held: TestAgent.Holding(held));
    }

    /// <summary>The database as a standby has it that saw neither the grant nor the completion.</summary>
    private static Task LoseTailAsync(LeaseWorld world, long binding, Lease lost) => world.ExecuteAsync(
        """
        SET session_replication_role = replica;
        DELETE FROM kpi_job_history WHERE binding_id = @binding;
        DELETE FROM kpi_evidence WHERE binding_id = @binding;
        DELETE FROM kpi_chain_link;
        DELETE FROM kpi_chain_pending;
        UPDATE kpi_job_runtime SET next_run_at = @slot, occ_scheduled_for = NULL, occ_kind = NULL, occ_business_date = NULL, occ_window_start = NULL, occ_revision = NULL,
               fence_n = 0, fence_epoch = 0, last_run_at = NULL, last_status = NULL WHERE binding_id = @binding;
        """, new { binding, slot = lost.ScheduledFor.ToDateTime() });

    private static async Task<Epoch> BumpAsync(LeaseWorld world) => await Fleet(world, "operator").BumpEpochAsync(new BumpEpochRequest { Reason = "promoted" });

    private static FleetService.FleetServiceClient Fleet(LeaseWorld world, string principal) => new(world.Node.Channel(world.Issuer.Token(principal)));
}
