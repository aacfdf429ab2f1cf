using KpiControl.Testing;

namespace KpiControl.Control.Tests.Leases;

/// <summary>What goes wrong between the choice of an agent and its lease costs a moment, never the slot or the credit.</summary>
public sealed class DispatchTests
{
    private static readonly string Later = $"{ByTheClock.LastHour} + interval '1 hour'";

    [Theory]
    [InlineData(false, "57P03")]
    [InlineData(true, "57P03")]
    [InlineData(false, "23514")]
    public async Task A_grant_that_fails_gives_its_credit_back_with_the_next_stream(bool ready, string sqlState)
    {
        await using var world = await LeaseWorld.StartAsync();
        await world.ExecuteAsync(
            $"""
            CREATE SEQUENCE grants;
            CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
              IF nextval('public.grants') = 1 THEN RAISE EXCEPTION 'once' USING ERRCODE = '{sqlState}'; END IF;
              RETURN NEW;
            END $$;
            CREATE TRIGGER fail_once BEFORE UPDATE ON kpi_job_runtime FOR EACH ROW WHEN (NEW.occ_state = 'L' AND OLD.occ_state IS DISTINCT FROM 'L') EXECUTE FUNCTION fail_once()
            """);
        var instance = Guid.NewGuid();
        await using var agent = await world.AgentAsync(instance: instance);
        using var alive = new PeriodicHeartbeat(agent);
        var binding = await OpenAsync(world, "hourly", ready);

        Assert.NotNull((await agent.NextAsync(m => m.Reconnect is not null)).Reconnect);
        await using var again = await world.AgentAsync(instance: instance);
        using var heard = new PeriodicHeartbeat(again);

        Assert.Equal(agent.Welcome.SessionId, again.Welcome.SessionId);
        Assert.Equal(binding, (await again.LeaseAsync()).BindingId);
    }

    [Theory]
    [InlineData(false, "x.seen")]
    [InlineData(true, "x.fence_seen")]
    public async Task A_slot_that_was_refused_to_a_session_that_moved_is_offered_again(bool ready, string words)
    {
        await using var world = await LeaseWorld.StartAsync();
        await world.ExecuteAsync(
            $"""
            CREATE SEQUENCE offers;
            CREATE FUNCTION count_offers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
              IF position('{words}' IN current_query()) > 0 THEN PERFORM nextval('public.offers'); END IF;
              RETURN NULL;
            END $$;
            CREATE TRIGGER count_offers AFTER UPDATE ON kpi_job_runtime FOR EACH STATEMENT EXECUTE FUNCTION count_offers()
            """);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        // As another node leaves it, before its word of the move is heard here.
        await world.ExecuteAsync("UPDATE kpi_session SET generation = generation + 1");
        var binding = await OpenAsync(world, "hourly", ready);
        await world.UntilAsync("SELECT is_called FROM offers");

        await world.ExecuteAsync("UPDATE kpi_session SET generation = generation - 1");

        Assert.Equal(binding, (await agent.LeaseAsync()).BindingId);
    }

    [Fact]
    public async Task A_page_of_ready_occurrences_that_nobody_here_can_run_hides_none_behind_it()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:BatchSize", "3"));
        // All of one instant: the page goes on within it.
        await world.Seed.BindAsync(BindingSeed.Job("gpu", ByTheClock.Hourly, more: "run: { agent_labels: [gpu] }"), Later, count: 7);
        await world.ExecuteAsync(OpenSql + " WHERE occ_state IS NULL");
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);

        var binding = await OpenAsync(world, "plain", ready: true);

        Assert.Equal(binding, (await agent.LeaseAsync()).BindingId);
    }

    [Fact]
    public async Task A_page_of_due_slots_that_cannot_be_understood_hides_none_behind_it()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:BatchSize", "3"));
        await world.Seed.BindAsync(BindingSeed.Job("broken", ByTheClock.Hourly), "timestamptz '2100-01-01'", count: 7);
        // As a version that understood less would see it; a revision itself never changes.
        await world.ExecuteAsync(
            $"""
            SET session_replication_role = replica;
            UPDATE kpi_binding_revision SET schedule_cron = 'never ever';
            RESET session_replication_role;
            UPDATE kpi_job_runtime SET next_run_at = {ByTheClock.LastHour} - interval '1 hour'
            """);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);

        var binding = await OpenAsync(world, "plain", ready: false);

        Assert.Equal(binding, (await agent.LeaseAsync()).BindingId);
    }

    private const string OpenSql =
        "UPDATE kpi_job_runtime SET occ_state = 'R', occ_kind = 0, occ_scheduled_for = next_run_at - interval '1 hour', occ_business_date = now()";

    // Due, or open and ready after a wait.
    private static async Task<long> OpenAsync(LeaseWorld world, string job, bool ready)
    {
        var binding = await world.Seed.BindAsync(BindingSeed.Job(job, ByTheClock.Hourly), ready ? Later : ByTheClock.LastHour);
        if (ready)
            await world.ExecuteAsync(OpenSql + " WHERE binding_id = @binding", new { binding });
        // Listed in one statement, so that what this test opened before has one instant; the last one opened comes last.
        await world.ExecuteAsync(
            """
            INSERT INTO kpi_parked (binding_id, lane, tenant_id, state, ready_at)
            SELECT binding_id, lane, tenant_id, 'R', now() - CASE WHEN binding_id = @binding THEN interval '0' ELSE interval '1 minute' END FROM kpi_job_runtime WHERE occ_state = 'R'
            ON CONFLICT (binding_id) DO UPDATE SET ready_at = excluded.ready_at;
            SELECT pg_notify('kpi', 'ready ' || lane) FROM kpi_lane
            """, new { binding });
        return binding;
    }
}
