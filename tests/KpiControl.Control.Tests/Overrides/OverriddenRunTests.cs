using System.Text.Json.Nodes;
using KpiControl.Control.Tests.Leases;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Schedules;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Overrides;

/// <summary>What runs under an override, and what does not any more, whoever was there when it ran out.</summary>
public sealed class OverriddenRunTests
{
    private const string Hour = "date_trunc('hour', now())";

    [Theory]
    [InlineData("latest")]
    [InlineData("none")]
    [InlineData("all")]
    public async Task A_schedule_that_ran_out_while_every_node_was_down_leaves_each_slot_to_the_one_that_stood_then(string catchup)
    {
        await using var world = await LeaseWorld.WithoutNodeAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", "0 * * * *", $"  catchup: {catchup}"), $"{Hour} - interval '6 hours'");
        // In the middle of an hour: the hour that follows is the definition's again.
        await StandAsync(world, binding, "schedule", "*/10 * * * *", $"{Hour} - interval '195 minutes'");

        await world.AddNodeAsync("node-1");
        await using var agent = await world.AgentAsync(credit: 100);
        using var alive = new PeriodicHeartbeat(agent);
        await world.UntilAsync("SELECT next_run_at > now() FROM kpi_job_runtime");

        // Slots of ten minutes before the instant, of an hour from it on; every one in exactly one place.
        var (from, until, cursor) = (await world.OneAsync<DateTime>("SELECT first_slot_after FROM kpi_binding_revision"), await world.OneAsync<DateTime>("SELECT expires_at FROM kpi_override"),
            await world.OneAsync<DateTime>("SELECT next_run_at FROM kpi_job_runtime"));
        var expected = Slots("*/10 * * * *", from, until).Concat(Slots("0 * * * *", until, cursor)).ToList();
        Assert.Equal(0, cursor.Minute);
        if (catchup == "all")
        {
            // One by one: the ten minutes before the instant are the override's, the hour after it the definition's.
            for (var i = 1; i <= expected.Count; i++)
                await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync(i)));
            Assert.Equal(expected, agent.Leases.Select(lease => lease.ScheduledFor.ToDateTimeOffset()).Order());
        }
        else
        {
            if (catchup == "latest")
                Assert.Contains((await agent.LeaseAsync()).ScheduledFor.ToDateTimeOffset(), expected.TakeLast(2));
            Assert.Equal(expected.Count, await world.OneAsync<int>(
                "SELECT (coalesce((SELECT sum(slot_count) FROM kpi_job_history WHERE binding_id = @binding AND final), 0) + (SELECT count(*) FROM kpi_open_occurrence WHERE binding_id = @binding))::int", new { binding }));
        }
        Assert.Equal(0, await world.OneAsync<int>("SELECT count(*) FROM (SELECT 1 FROM kpi_job_history WHERE final GROUP BY binding_id, scheduled_for, trigger_kind HAVING count(*) > 1) twice"));
        // Nobody had to write anything down for it: the sweep does so besides.
        await world.UntilAsync("SELECT ending = 'expired' AND ended_at = expires_at FROM kpi_override");
        Assert.Equal(1, await world.OneAsync<int>("SELECT revision FROM kpi_job_runtime"));
    }

    [Fact]
    public async Task A_timeout_counts_for_what_is_granted_before_it_runs_out_and_evidence_says_so()
    {
        await using var world = await LeaseWorld.WithoutNodeAsync();
        var standing = await world.Seed.BindAsync(BindingSeed.Job("standing", ByTheClock.Hourly), ByTheClock.LastHour);
        var over = await world.Seed.BindAsync(BindingSeed.Job("over", ByTheClock.Hourly, more: "retry: { max_retries: 1 }"), ByTheClock.LastHour);
        await StandAsync(world, standing, "timeout", "2h", "now() + interval '1 day'");
        await StandAsync(world, over, "timeout", "2h", "now() - interval '1 second'");

        await world.AddNodeAsync("node-1");
        await using var agent = await world.AgentAsync(credit: 2);
        using var alive = new PeriodicHeartbeat(agent);
        await agent.LeaseAsync(2);
        foreach (var lease in agent.Leases.ToList())
            await agent.FinishAsync(TestAgent.Success(lease));

        Assert.Equal(TimeSpan.FromHours(2), agent.Leases.Single(lease => lease.BindingId == standing).Timeout.ToTimeSpan());
        Assert.Equal(TimeSpan.FromMinutes(15), agent.Leases.Single(lease => lease.BindingId == over).Timeout.ToTimeSpan());
        var told = Assert.Single((await DocumentAsync(world, standing))["overrides"]!.AsArray())!;
        Assert.Equal(("timeout", "2h"), (told["kind"]!.GetValue<string>(), told["value"]!.GetValue<string>()));
        Assert.Equal(await world.OneAsync<string>("SELECT override_id::text FROM kpi_override WHERE binding_id = @standing", new { standing }), told["override_id"]!.GetValue<string>());
        Assert.Null((await DocumentAsync(world, over))["overrides"]);
    }

    [Fact]
    public async Task A_lane_goes_back_to_the_definitions_with_what_waits_in_it()
    {
        await using var world = await LeaseWorld.WithoutNodeAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("urgent", ByTheClock.Hourly, more: "run: { priority: 4 }"), $"{ByTheClock.LastHour} + interval '1 hour'");
        await world.ExecuteAsync("""
            INSERT INTO kpi_lane (region, priority) VALUES ('eu', 1);
            UPDATE kpi_job_runtime SET lane = (SELECT lane FROM kpi_lane WHERE priority = 1), queued = 1;
            INSERT INTO kpi_occurrence (binding_id, scheduled_for, kind, last_slot, lane, business_date, revision, tenant_id, requested_by)
            SELECT binding_id, now(), 2, now(), lane, now(), 1, tenant_id, 'test' FROM kpi_job_runtime
            """);
        await StandAsync(world, binding, "priority", "1", "now() - interval '1 minute'");

        await world.AddNodeAsync("node-1");
        await world.UntilAsync("SELECT ending = 'expired' FROM kpi_override");

        Assert.Equal("4 4", await world.OneAsync<string>("SELECT concat_ws(' ', l.priority, p.priority) FROM kpi_job_runtime rt JOIN kpi_lane l USING (lane) JOIN (SELECT lane FROM kpi_occurrence UNION ALL SELECT lane FROM kpi_parked) o ON true JOIN kpi_lane p ON p.lane = o.lane"));
    }

    private static IEnumerable<DateTimeOffset> Slots(string cron, DateTime from, DateTime until) =>
        JobSchedule.TryCreate(new JobScheduleSpec { Type = "cron", Expression = cron, Timezone = "UTC" }, out var schedule, out _)
            ? schedule!.Slots(new DateTimeOffset(from).AddTicks(-1), new DateTimeOffset(until).AddTicks(-1)) : [];

    private static async Task<JsonNode> DocumentAsync(LeaseWorld world, long binding) =>
        JsonNode.Parse(await world.OneAsync<string>("SELECT document::text FROM kpi_evidence WHERE binding_id = @binding AND kind = 'run'", new { binding }))!;

    // As setting it leaves the rows, long ago.
    private static Task StandAsync(LeaseWorld world, long binding, string kind, string value, string until) => world.ExecuteAsync($"""
        ALTER TABLE kpi_binding_revision DISABLE TRIGGER append_only;
        INSERT INTO kpi_override (binding_id, tenant_id, kind, value, reason, created_at, created_by, expires_at)
        VALUES (@binding, 'acme', @kind, @value, 'test', now() - interval '8 hours', 'test', {until});
        UPDATE kpi_job_binding b SET overrides = (SELECT jsonb_agg(jsonb_build_object('override_id', o.override_id, 'kind', o.kind, 'value', o.value, 'created_at', o.created_at, 'expires_at', o.expires_at)) FROM kpi_override o WHERE o.binding_id = b.binding_id) WHERE binding_id = @binding;
        UPDATE kpi_binding_revision r SET overrides = b.overrides FROM kpi_job_binding b WHERE b.binding_id = r.binding_id AND b.binding_id = @binding;
        ALTER TABLE kpi_binding_revision ENABLE TRIGGER append_only
        """, new { binding, kind, value });
}
