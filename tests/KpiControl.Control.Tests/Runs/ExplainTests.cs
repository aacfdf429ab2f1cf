using Google.Protobuf.WellKnownTypes;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Tests.Runs;

public sealed class ExplainTests : IAsyncLifetime
{
    private RunWorld world = null!;

    public async ValueTask InitializeAsync() => world = await RunWorld.CreateAsync();

    public ValueTask DisposeAsync() => world.DisposeAsync();

    [Fact]
    public async Task A_run_that_lost_its_agent_and_then_succeeded_is_told_in_order()
    {
        await world.RunAsync("2026-01-05T02:00:00Z", "lost", final: false, attempt: Guid.CreateVersion7());
        await world.RunAsync("2026-01-05T02:00:00Z", attempt: Guid.CreateVersion7(), startedAfter: "1 minute");
        var told = await ExplainAsync("2026-01-05T13:00:00Z");
        Assert.Equal("It succeeded.", told.Answer);
        Assert.Equal("schedule:2026-01-05T02:00:00Z", told.SlotKey);
        Assert.Equal(["revision", "scheduled", "leased", "lost", "leased", "finished", "next"], told.Facts.Select(f => f.Kind));
        Assert.Contains("business date 2026-01-04", told.Facts[1].Text);
    }

    [Fact]
    public async Task A_slot_that_a_pause_swallowed_names_who_paused_and_why()
    {
        await world.ExecuteAsync("""
            WITH p AS (INSERT INTO kpi_pause (binding_id, tenant_id, paused_at, paused_until, reason, paused_by)
                       VALUES (@Binding, 'acme', '2026-01-04', 'infinity', 'close of books', 'bob') RETURNING pause_id)
            INSERT INTO kpi_pause_end (pause_id, tenant_id, ended_at, ended_by) SELECT pause_id, 'acme', '2026-01-06', 'ann' FROM p
            """, new { world.Binding });
        await world.RunAsync("2026-01-05T02:00:00Z", "skipped", reason: "paused");
        var told = await ExplainAsync("2026-01-05T02:00:00Z");
        Assert.Equal("It was skipped: the job was paused.", told.Answer);
        Assert.Contains(told.Facts, f => f.Kind == "paused" && f.Text == "Paused by bob until resumed: close of books.");
        Assert.Contains(told.Facts, f => f.Kind == "resumed");
    }

    [Fact]
    public async Task A_slot_inside_a_stretch_of_missed_ones_is_found()
    {
        await world.ExecuteAsync("""
            INSERT INTO kpi_job_history (run_id, binding_id, scheduled_for, slot_last, slot_count, revision, business_date, lane, final, tenant_id, status, trigger_kind, reason)
            VALUES (nextval('kpi_fence'), @Binding, '2026-01-03T02:00:00Z', '2026-01-09T02:00:00Z', 7, 1, '2026-01-02', 1, true, 'acme', 'skipped', 'schedule', 'missed_window')
            """, new { world.Binding });
        Assert.Contains("missed_window", (await ExplainAsync("2026-01-06T02:00:00Z")).Answer);
    }

    [Fact]
    public async Task What_waits_says_for_what_and_what_is_ready_without_agents_says_so()
    {
        await world.ExecuteAsync("""
            INSERT INTO kpi_job_dependency (binding_id, dep_type, dep_value, tenant_id) VALUES (@Binding, 'signal', 'erp', 'acme');
            UPDATE kpi_job_runtime SET occ_state = 'W', occ_kind = 0, occ_scheduled_for = '2026-01-05T02:00:00Z', occ_business_date = '2026-01-04' WHERE binding_id = @Binding
            """, new { world.Binding });
        var waiting = await ExplainAsync(null);
        Assert.Equal("It waits for signal erp for 2026-01-04. It is open now, for the business date 2026-01-04.", waiting.Answer);
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET occ_state = 'R' WHERE binding_id = @Binding", new { world.Binding });
        var ready = await ExplainAsync(null);
        Assert.StartsWith("It is ready, and no live agent in eu serves acme.", ready.Answer);
        Assert.Equal(["no_agent", "next"], ready.Facts.TakeLast(2).Select(f => f.Kind));
    }

    [Theory]
    [InlineData("now() + interval '1 hour'", "; its agent stops it at ")]
    [InlineData("now() - interval '1 hour'", "; its timeout was over at ")]
    public async Task What_runs_says_until_when_at_the_latest(string deadline, string words)
    {
        await world.ExecuteAsync($"""
            INSERT INTO kpi_node (name, generation, expires_at) VALUES ('n', 1, 'infinity');
            INSERT INTO kpi_session (agent, instance, region, node_id, node_generation, generation, build, slots) SELECT 'agent-1', gen_random_uuid(), 'eu', node_id, 1, 1, 'test', 1 FROM kpi_node WHERE name = 'n';
            INSERT INTO kpi_session_tenant SELECT session_id, 'acme' FROM kpi_session;
            UPDATE kpi_job_runtime SET occ_state = 'L', occ_kind = 0, occ_scheduled_for = '2026-01-05T02:00:00Z', occ_business_date = '2026-01-04', session_id = (SELECT session_id FROM kpi_session),
                   generation = 1, lease_deadline = {deadline}, attempt_id = gen_random_uuid(), fence_n = 1, fence_epoch = 1 WHERE binding_id = @Binding
            """, new { world.Binding });

        Assert.Contains((await ExplainAsync(null)).Facts, fact => fact.Kind == "leased" && fact.Text.Contains(words, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("2025-12-01T00:00:00Z", "It did not run: the job was not in force at that slot.")]
    [InlineData("2091-01-01T00:00:00Z", "It is not due yet: it is scheduled for 2090-12-31T02:00:00Z.")]
    public async Task Instants_before_the_job_and_far_ahead_are_answered(string at, string answer) => Assert.Equal(answer, (await ExplainAsync(at)).Answer);

    [Fact]
    public async Task A_slot_key_that_is_no_slot_says_so()
    {
        var told = await world.Reads.ExplainAsync(RunWorld.Viewer, new() { BindingId = world.Binding, SlotKey = "schedule:2026-01-05T03:00:00Z" }, CancellationToken.None);
        Assert.Equal("The schedule that was in force has no slot at that instant.", told.Answer);
    }

    [Fact]
    public async Task Nobody_named_and_nothing_open_is_the_last_that_ended_and_what_is_next()
    {
        Assert.Contains("Nothing of the job has run yet.", (await ExplainAsync(null)).Answer);
        await world.RunAsync("2026-01-05T02:00:00Z", attempt: Guid.CreateVersion7());
        await world.RunAsync("2026-01-06T09:30:00.123456Z", kind: "manual", attempt: Guid.CreateVersion7());
        var told = await ExplainAsync(null);
        Assert.Equal("manual:2026-01-06T09:30:00.123456Z", told.SlotKey);
        Assert.StartsWith("It succeeded. It is the last that ended, for the business date 2026-01-05; nothing is open, and the next is due at ", told.Answer);
        Assert.Equal("next", told.Facts[^1].Kind);
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET paused_until = 'infinity' WHERE binding_id = @Binding", new { world.Binding });
        Assert.Contains("and the job is paused", (await ExplainAsync(null)).Answer);
    }

    [Theory]
    [InlineData("2026-01-06T09:30:00.123456Z")]
    [InlineData("2026-01-06T09:30:00Z")]
    public async Task An_occurrence_by_hand_is_found_by_its_instant_and_by_the_second_that_tables_show(string at)
    {
        await world.RunAsync("2026-01-06T09:30:00.123456Z", kind: "manual", attempt: Guid.CreateVersion7());
        var told = await ExplainAsync(at);
        Assert.Equal(("manual:2026-01-06T09:30:00.123456Z", "It succeeded."), (told.SlotKey, told.Answer));
    }

    [Fact]
    public async Task Who_asked_for_an_occurrence_by_hand_is_told_when_it_has_ended_too()
    {
        await world.RunAsync("2026-01-06T09:30:00.123456Z", kind: "manual", attempt: Guid.CreateVersion7());
        await world.ExecuteAsync("""
            INSERT INTO kpi_audit (recorded_at, tenant_id, environment, actor, verb, object_kind, object_id, reason)
            SELECT date_trunc('month', now()), 'acme', 'dev', 'nobody', 'Run', 'occurrence', @Binding || '/manual:2026-01-06T09:30:00.123456Z', 'too late to be it'
            """, new { world.Binding });
        Assert.DoesNotContain("asked for", (await ByKeyAsync("manual:2026-01-06T09:30:00.123456Z")).Facts[1].Text);
        var slot = await world.TextAsync("SELECT to_char(now() AT TIME ZONE 'UTC', '\"manual:\"YYYY-MM-DD\"T\"HH24:MI:SS\".123456Z\"')");
        await world.ExecuteAsync("""
            INSERT INTO kpi_audit (recorded_at, tenant_id, environment, actor, verb, object_kind, object_id, reason)
            VALUES (@at::timestamptz - interval '1 second', 'acme', 'dev', 'ann', 'Run', 'occurrence', @Binding || '/' || @slot, 'month end')
            """, new { world.Binding, slot, at = slot["manual:".Length..] });
        await world.RunAsync(slot["manual:".Length..], kind: "manual", attempt: Guid.CreateVersion7());
        Assert.Contains((await ByKeyAsync(slot)).Facts, f => f.Kind == "triggered" && f.Text.EndsWith(", asked for by ann: month end.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_rebind_while_an_occurrence_waits_is_told_between_its_slot_and_now()
    {
        await world.ExecuteAsync("""
            UPDATE kpi_job_runtime SET occ_state = 'W', occ_kind = 0, occ_scheduled_for = '2026-01-05T02:00:00Z', occ_business_date = '2026-01-04', revision = 2 WHERE binding_id = @Binding;
            INSERT INTO kpi_binding_revision (binding_id, revision, tenant_id, def_id, contract_digest, schedule_cron, timezone, schedule_extra,
                   active, zone_version, effective_from, first_slot_after, changed_by, reason)
            SELECT binding_id, 2, tenant_id, def_id, contract_digest, '0 3 * * *', timezone, schedule_extra, active, zone_version, '2026-01-05T05:00:00Z', '2026-01-05T05:00:00Z', 'bob', 'a later hour'
              FROM kpi_binding_revision WHERE binding_id = @Binding
            """, new { world.Binding });
        var told = await ExplainAsync(null);
        Assert.Equal(["revision", "scheduled", "revision"], told.Facts.Take(3).Select(f => f.Kind));
        Assert.Equal(("revision/2", true), (told.Facts[2].Reference, told.Facts[2].Text.StartsWith("Revision 2 came into force: schedule '0 3 * * *' in UTC", StringComparison.Ordinal)));
        Assert.Contains("by bob: a later hour", told.Facts[2].Text);
        Assert.Equal(told.Facts.Select(f => f.At.ToDateTimeOffset()).Order(), told.Facts.Select(f => f.At.ToDateTimeOffset()));
    }

    [Fact]
    public async Task A_key_of_no_occurrence_says_so() =>
        Assert.StartsWith("There is no such occurrence", (await ByKeyAsync("manual:2026-01-06T09:30:00Z")).Answer);

    private Task<ExplainOccurrenceResponse> ByKeyAsync(string slot) =>
        world.Reads.ExplainAsync(RunWorld.Viewer, new() { BindingId = world.Binding, SlotKey = slot }, CancellationToken.None);

    private Task<ExplainOccurrenceResponse> ExplainAsync(string? at) => world.Reads.ExplainAsync(RunWorld.Viewer, new()
    {
        BindingId = world.Binding, At = at is null ? null : Timestamp.FromDateTimeOffset(DateTimeOffset.Parse(at, System.Globalization.CultureInfo.InvariantCulture)),
    }, CancellationToken.None);
}
