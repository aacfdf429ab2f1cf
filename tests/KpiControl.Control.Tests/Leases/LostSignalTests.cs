using KpiControl.Testing;

namespace KpiControl.Control.Tests.Leases;

/// <summary>Messages and lists only save time: what they lose, the slow poll finds.</summary>
public sealed class LostSignalTests
{
    private static readonly (string, string) QuickPoll = ("Leases:PollEvery", "00:00:00.5");

    [Fact]
    public async Task A_cursor_that_moved_without_a_word_is_found()
    {
        await using var world = await LeaseWorld.StartAsync(QuickPoll);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        // The lane is known and at rest; then the cursor moves behind everybody's back.
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), $"{ByTheClock.LastHour} + interval '1 hour'");
        var marked = await world.OneAsync<DateTime>($"UPDATE kpi_job_runtime SET next_run_at = {ByTheClock.LastHour} RETURNING next_run_at");

        var lease = await agent.LeaseAsync();

        Assert.Equal((binding, marked), (lease.BindingId, lease.ScheduledFor.ToDateTime()));
    }

    [Fact]
    public async Task A_ready_occurrence_that_fell_off_the_list_is_listed_again()
    {
        await using var world = await LeaseWorld.StartAsync(QuickPoll);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), $"{ByTheClock.LastHour} + interval '1 hour'");

        await world.ExecuteAsync("UPDATE kpi_job_runtime SET occ_state = 'R', occ_kind = 0, occ_scheduled_for = next_run_at - interval '1 hour', occ_business_date = now()");

        Assert.Equal(binding, (await agent.LeaseAsync()).BindingId);
    }

    [Fact]
    public async Task A_wait_that_did_not_begin_after_its_slot_was_committed_is_found_by_the_sweep()
    {
        await using var world = await LeaseWorld.StartAsync(("Signals:SweepEvery", "00:00:00.5"));
        // The slot is taken, and the database is away before what it waits for is written down.
        await world.ExecuteAsync(
            """
            CREATE SEQUENCE begun;
            CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
              IF nextval('public.begun') = 1 THEN RAISE EXCEPTION 'once' USING ERRCODE = '57P03'; END IF;
              RETURN NEW;
            END $$;
            CREATE TRIGGER fail_once BEFORE INSERT ON kpi_occurrence_wait FOR EACH ROW EXECUTE FUNCTION fail_once()
            """);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        var binding = await world.Seed.BindAsync(BindingSeed.Job("waits", ByTheClock.Hourly, more: "dependencies: { signals: [erp] }"), ByTheClock.LastHour);
        await world.ExecuteAsync("INSERT INTO kpi_signal (tenant_id, environment, name, published_by) VALUES ('acme', 'dev', 'erp', 'test')");

        Assert.Equal(binding, (await agent.LeaseAsync()).BindingId);
        Assert.True(await world.OneAsync<bool>("SELECT last_value > 1 FROM begun"));
    }

    [Fact]
    public async Task A_queued_occurrence_that_nobody_announced_is_promoted()
    {
        await using var world = await LeaseWorld.StartAsync(QuickPoll);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        var binding = await world.Seed.BindAsync(BindingSeed.Job("hourly", ByTheClock.Hourly), $"{ByTheClock.LastHour} + interval '1 hour'");

        await world.ExecuteAsync(
            """
            INSERT INTO kpi_occurrence (binding_id, scheduled_for, kind, last_slot, lane, business_date, revision, tenant_id, requested_by)
            SELECT binding_id, now(), 2, now(), lane, now(), 1, tenant_id, 'test' FROM kpi_job_runtime;
            UPDATE kpi_job_runtime SET queued = 1
            """);

        Assert.StartsWith("manual:", (await agent.LeaseAsync()).SlotKey, StringComparison.Ordinal);
        Assert.Equal(binding, agent.Leases[0].BindingId);
    }
}
