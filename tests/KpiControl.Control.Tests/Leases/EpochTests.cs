using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Outcome = KpiControl.Protocol.V1.FinishedAck.Types.Outcome;

namespace KpiControl.Control.Tests.Leases;

/// <summary>A promotion or a restore may have lost what was granted: nothing goes on until an operator says so.</summary>
public sealed class EpochTests
{
    private const string OtherTimeline = "UPDATE kpi_cluster SET timeline = '000000FF'";
    private const string Bump = "UPDATE kpi_cluster SET epoch = epoch + 1, timeline = substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8); SELECT pg_notify('kpi', 'epoch')";

    [Fact]
    public async Task On_another_timeline_nothing_is_granted_until_the_epoch_is_bumped()
    {
        await using var world = await LeaseWorld.StartAsync();
        var (leased, due) = (await world.Seed.BindAsync(BindingSeed.Job("before", "0 * * * *"), "date_trunc('hour', now())"),
            await world.Seed.BindAsync(BindingSeed.Job("after", "0 * * * *"), "timestamptz '2100-01-01'"));
        await using var agent = await world.AgentAsync(credit: 2);
        using var alive = new PeriodicHeartbeat(agent);
        var before = await agent.LeaseAsync();
        await world.ExecuteAsync(OtherTimeline);

        await world.ExecuteAsync("UPDATE kpi_job_runtime SET next_run_at = date_trunc('hour', now()) WHERE binding_id = @due; SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_lane", new { due });
        await world.UntilLoggedAsync("Nothing is granted");
        var told = await world.Node.Jobs().ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = due });

        Assert.Single(agent.Leases);
        Assert.Contains("nothing is granted until an operator bumps the cluster's epoch", told.Answer);
        Assert.Contains(told.Facts, fact => fact.Kind == "epoch");

        await world.ExecuteAsync(Bump);
        var after = await agent.LeaseAsync(2);

        Assert.Equal((1, 2), (before.Fence.Epoch, after.Fence.Epoch));
        Assert.True((after.Fence.Epoch, after.Fence.Number).CompareTo((before.Fence.Epoch, before.Fence.Number)) > 0);
        // Nobody has taken it since: what was granted under the epoch before is still the occurrence's.
        Assert.Equal(leased, before.BindingId);
        Assert.Equal(Outcome.Recorded, (await agent.FinishAsync(TestAgent.Success(before))).Outcome);
    }

    [Fact]
    public async Task On_another_timeline_nothing_is_acknowledged()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", "0 * * * *"), "date_trunc('hour', now())");
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        var lease = await agent.LeaseAsync();
        await world.ExecuteAsync(OtherTimeline);

        await agent.SayAsync(TestAgent.Report(TestAgent.Success(lease)));
        await world.UntilLoggedAsync("nothing is acknowledged until the epoch is bumped");
        Assert.Empty(await world.HistoryAsync(binding));
        await world.ExecuteAsync(Bump);

        var ack = (await agent.NextAsync(m => m.FinishedAcks is not null)).FinishedAcks.Acks[0];
        Assert.Equal(Outcome.Recorded, ack.Outcome);
        Assert.Equal(["success"], await world.HistoryAsync(binding));
    }
}
