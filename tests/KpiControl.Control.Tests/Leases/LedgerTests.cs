using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Leases;

/// <summary>Every slot that was in force has exactly one disposition, whatever happened meanwhile.</summary>
public sealed class LedgerTests
{
    private const string AnHourAgo = "date_trunc('minute', now()) - interval '60 minutes'";

    [Fact]
    public async Task After_an_outage_the_latest_slot_runs_and_the_others_are_superseded()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("minutely"), AnHourAgo);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);

        await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync()));

        var rows = await world.HistoryAsync(binding);
        Assert.Equal(["skipped(superseded)", "success"], rows);
        Assert.True(await world.OneAsync<int>("SELECT slot_count FROM kpi_job_history WHERE status = 'skipped'") >= 59);
        await AssertLedgerAsync(world, binding);
    }

    [Fact]
    public async Task Without_catchup_missed_slots_are_recorded_and_do_not_run()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("two_hourly", "0 */2 * * *", "  catchup: none"), "date_trunc('hour', now()) - interval '48 hours' - make_interval(hours => (extract(hour FROM now() AT TIME ZONE 'UTC')::int % 2))");
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);

        await world.UntilAsync("SELECT count(*) > 0 FROM kpi_job_history WHERE status = 'skipped'");

        Assert.Equal("missed_window", await world.OneAsync<string>("SELECT reason FROM kpi_job_history WHERE status = 'skipped'"));
        await AssertLedgerAsync(world, binding);
    }

    [Fact]
    public async Task With_catchup_all_each_slot_runs_once_oldest_first()
    {
        await using var world = await LeaseWorld.StartAsync();
        // Hours, so that no new slot comes among those that are caught up with.
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly, "  catchup: all"), $"{ByTheClock.LastHour} - interval '5 hours'");
        await using var agent = await world.AgentAsync(credit: 1);
        using var alive = new PeriodicHeartbeat(agent);

        for (var i = 1; i <= 5; i++)
        {
            await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync(i)));
            await agent.CreditAsync(1);
        }

        var slots = agent.Leases.Take(5).Select(l => l.ScheduledFor.ToDateTimeOffset()).ToList();
        Assert.Equal(slots.Order(), slots);
        Assert.Equal(Enumerable.Repeat(TimeSpan.FromHours(1), 4), slots.Zip(slots.Skip(1), (a, b) => b - a));
        await AssertLedgerAsync(world, binding);
    }

    [Fact]
    public async Task A_slot_that_is_caught_up_with_stays_in_its_lane_through_a_retry_and_a_lost_lease()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly, "  catchup: all", "retry: { max_retries: 3, initial: 1h, backoff: fixed }"), $"{ByTheClock.LastHour} - interval '5 hours'");
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        var lease = await agent.LeaseAsync();
        Assert.True(lease.ScheduledFor.ToDateTimeOffset() < await world.OneAsync<DateTime>($"SELECT {ByTheClock.LastHour} - interval '4 hours'"));

        await agent.FinishAsync(TestAgent.Failure(lease));
        Assert.Equal("R 6", await world.OneAsync<string>(LaneSql, new { binding }));

        await world.ExecuteAsync("UPDATE kpi_job_runtime SET occ_retry_at = now(); UPDATE kpi_parked SET ready_at = now(); SELECT pg_notify('kpi', 'ready ' || lane) FROM kpi_lane");
        await agent.CreditAsync(1);
        await agent.LeaseAsync(2);
        await world.ExecuteAsync("UPDATE kpi_session SET ended_at = now(), end_reason = 'silent'");
        await world.UntilAsync("SELECT occ_state = 'R' FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        Assert.Equal("R 6", await world.OneAsync<string>(LaneSql, new { binding }));
    }

    private const string LaneSql = "SELECT rt.occ_state::text || ' ' || l.priority FROM kpi_job_runtime rt JOIN kpi_parked k USING (binding_id) JOIN kpi_lane l ON l.lane = k.lane WHERE binding_id = @binding";

    [Theory]
    [InlineData("", 59)]
    [InlineData(", wait_timeout: 10m", 10)]
    public async Task A_slot_that_is_caught_up_with_waits_as_long_as_it_would_have_in_its_time_and_gives_way(string timeout, int minutes)
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(
            BindingSeed.Job("hourly", ByTheClock.Hourly, "  catchup: all", $"dependencies: {{ signals: [never]{timeout} }}"), $"{ByTheClock.LastHour} - interval '5 hours'");
        await world.UntilAsync("SELECT occ_state = 'W' AND queued > 0 FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        var first = await world.OneAsync<DateTime>("SELECT occ_scheduled_for FROM kpi_job_runtime");

        Assert.True(await world.OneAsync<bool>(
            "SELECT coalesce(occ_deadline BETWEEN now() + make_interval(mins => @minutes - 1) AND now() + make_interval(mins => @minutes + 1), false) FROM kpi_job_runtime", new { minutes }));
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET occ_deadline = now(); UPDATE kpi_parked SET deadline = now()");

        await world.UntilAsync("SELECT occ_state = 'W' AND occ_scheduled_for > @first AND occ_deadline > now() FROM kpi_job_runtime", new { first });
        Assert.Equal(["skipped(not_ready)"], await world.HistoryAsync(binding));
    }

    [Fact]
    public async Task One_overlapping_slot_queues_where_the_job_says_so()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("secondly", "* * * * * *", "  overlap: queue_one"), "date_trunc('second', now())");
        await using var agent = await world.AgentAsync(credit: 5);
        using var alive = new PeriodicHeartbeat(agent);
        var running = await agent.LeaseAsync();

        // The slots that follow while it runs: the first queues, every further one is one too many.
        await world.UntilAsync("SELECT count(*) > 1 FROM kpi_job_history WHERE reason = 'overlap'");
        var queued = await world.OneAsync<DateTime>("SELECT scheduled_for FROM kpi_occurrence WHERE binding_id = @binding", new { binding });
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET next_run_at = 'infinity'");
        await agent.FinishAsync(TestAgent.Success(running));

        Assert.Equal(queued, (await agent.LeaseAsync(2)).ScheduledFor.ToDateTime());
    }

    [Theory]
    [InlineData("skip")]
    [InlineData("cancel_previous")]
    public async Task What_overlaps_is_decided_though_no_agent_has_credit_left(string overlap)
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("secondly", "* * * * * *", $"  overlap: {overlap}"), "date_trunc('second', now())");
        await using var agent = await world.AgentAsync(credit: 1);
        using var alive = new PeriodicHeartbeat(agent);
        var running = await agent.LeaseAsync();

        if (overlap == "skip")
            await world.UntilAsync("SELECT count(*) > 1 FROM kpi_job_history WHERE binding_id = @binding AND status = 'skipped' AND reason = 'overlap'", new { binding });
        else
            Assert.Equal(running.AttemptId, (await agent.NextAsync(message => message.Cancel is not null)).Cancel.AttemptId);

        Assert.Single(agent.Leases);
    }

    [Fact]
    public async Task A_paused_binding_starts_nothing_and_keeps_its_cursor()
    {
        await using var world = await LeaseWorld.StartAsync();
        var (paused, other) = (await world.Seed.BindAsync(BindingSeed.Job("paused"), "now() + interval '1 day'"), await world.Seed.BindAsync(BindingSeed.Job("other"), "now() + interval '1 day'"));
        // Paused, and still in the lane: as a scan sees it that read the row just before the pause.
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET next_run_at = date_trunc('minute', now()), paused_until = CASE WHEN binding_id = @paused THEN 'infinity'::timestamptz END", new { paused });
        await world.ExecuteAsync("INSERT INTO kpi_pause (binding_id, tenant_id, paused_until, paused_by) VALUES (@paused, 'acme', 'infinity', 'test'); SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_lane", new { paused });
        await using var agent = await world.AgentAsync(credit: 5);

        Assert.Equal(other, (await agent.LeaseAsync()).BindingId);

        Assert.Single(agent.Leases);
        Assert.True(await world.OneAsync<bool>("SELECT occ_state IS NULL AND next_run_at <= now() FROM kpi_job_runtime WHERE binding_id = @paused", new { paused }));
    }

    [Fact]
    public async Task What_waits_too_long_for_its_data_is_skipped_as_not_ready()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly, more: "dependencies: { gdp: [GDP_Receivables, GDP_Sales], wait_timeout: 1s }"), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);

        await world.UntilAsync("SELECT count(*) = 1 FROM kpi_job_history");

        Assert.Equal(["skipped(not_ready)"], await world.HistoryAsync(binding));
        Assert.Empty(agent.Leases);
        await AssertLedgerAsync(world, binding);
    }

    [Theory]
    [InlineData("none", "skipped(missed_window)", 60, "")]
    [InlineData("latest", "skipped(superseded)", 59, "leased")]
    [InlineData("all", "skipped(missed_window)", 50, "leased queued")]
    public async Task What_a_pause_held_back_is_caught_up_with_as_the_job_says(string catchup, string reason, int count, string open)
    {
        await using var world = await LeaseWorld.StartAsync();
        var minute = (await world.OneAsync<DateTime>("SELECT now() - interval '10 minutes'")).Minute;
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", $"{minute} * * * *", $"  catchup: {catchup}\n  catchup_window: 10h"), "date_trunc('minute', now()) + interval '1 day'");
        var jobs = world.Node.Jobs();
        await jobs.PauseJobAsync(new PauseJobRequest { BindingId = binding });
        // It held sixty slots back, the newest of which is ten minutes old.
        await world.ExecuteAsync("""
            SET session_replication_role = replica;
            UPDATE kpi_job_runtime SET next_run_at = date_trunc('hour', now() - interval '10 minutes') + make_interval(mins => @minute) - interval '59 hours';
            UPDATE kpi_binding_revision SET first_slot_after = (SELECT next_run_at - interval '1 microsecond' FROM kpi_job_runtime);
            SET session_replication_role = origin
            """, new { minute });
        await using var agent = await world.AgentAsync(credit: 1);
        using var alive = new PeriodicHeartbeat(agent);

        await jobs.ResumeJobAsync(new ResumeJobRequest { BindingId = binding });
        await world.UntilAsync("SELECT count(*) = 1 FROM kpi_job_history");

        Assert.Equal([reason], await world.HistoryAsync(binding));
        Assert.Equal(count, await world.OneAsync<int>("SELECT slot_count FROM kpi_job_history"));
        await world.UntilAsync("SELECT coalesce(string_agg(state, ' ' ORDER BY state), '') = @open FROM kpi_open_occurrence", new { open });
        await AssertLedgerAsync(world, binding);
    }

    [Fact]
    public async Task A_slot_that_comes_due_while_the_former_waits_is_no_overlap()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly, more: "dependencies: { signals: [erp_eod_sync] }"), $"{ByTheClock.LastHour} + interval '1 hour'");
        await world.ExecuteAsync("""
            INSERT INTO kpi_parked (binding_id, lane, tenant_id, state, ready_at) SELECT binding_id, lane, tenant_id, 'W', now() FROM kpi_job_runtime;
            UPDATE kpi_job_runtime SET occ_state = 'W', occ_kind = 0, occ_scheduled_for = next_run_at - interval '2 hours', occ_business_date = now() - interval '1 day', occ_reason = 1,
              next_run_at = next_run_at - interval '1 hour';
            SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_lane
            """);

        await world.UntilAsync("SELECT count(*) = 1 FROM kpi_occurrence WHERE binding_id = @binding AND kind = 0", new { binding });

        Assert.Empty(await world.HistoryAsync(binding));
        Assert.Equal("W", await world.OneAsync<string>("SELECT occ_state::text FROM kpi_job_runtime"));
    }

    // What was in force: every slot of the revision's schedule from its first to the cursor. Minutes and hours here divide
    // evenly, so the pure evaluation is a division.
    private static async Task AssertLedgerAsync(LeaseWorld world, long binding)
    {
        var gap = await world.OneAsync<long>(
            """
            WITH r AS (SELECT r.binding_id, r.first_slot_after, rt.next_run_at,
                              CASE r.schedule_cron WHEN '* * * * *' THEN interval '1 minute' WHEN '0 */2 * * *' THEN interval '2 hours' ELSE interval '1 hour' END AS step
                         FROM kpi_binding_revision r JOIN kpi_job_runtime rt USING (binding_id) WHERE binding_id = @binding)
            SELECT round(extract(epoch FROM next_run_at - (first_slot_after + interval '1 microsecond')) / extract(epoch FROM step))::bigint
                   - coalesce((SELECT sum(h.slot_count) FROM kpi_job_history h WHERE h.binding_id = r.binding_id AND h.final AND h.trigger_kind = 'schedule'), 0)
                   - coalesce((SELECT sum(round(extract(epoch FROM o.last_slot - o.scheduled_for) / extract(epoch FROM step)) + 1) FROM kpi_open_occurrence o WHERE o.binding_id = r.binding_id AND o.kind = 0), 0)
              FROM r
            """, new { binding });
        Assert.Equal(0, gap);
        Assert.Equal(0, await world.OneAsync<int>("SELECT count(*) FROM (SELECT 1 FROM kpi_job_history WHERE final GROUP BY binding_id, scheduled_for, trigger_kind HAVING count(*) > 1) twice"));
    }
}
