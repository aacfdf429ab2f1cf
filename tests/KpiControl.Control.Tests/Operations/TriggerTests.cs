using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Operations;

public sealed class TriggerTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private JobService.JobServiceClient Jobs => fixture.Host.Jobs();

    [Fact]
    public async Task A_trigger_makes_one_occurrence_and_what_does_not_run_yet_is_cancelled_at_once()
    {
        // No agent and a paused-free binding: whether it still queues or is open already, nobody runs it.
        var bound = await fixture.Host.CreateSimpleAsync(Token, "triggered");
        var request = new TriggerJobRequest { BindingId = bound.BindingId, BusinessDate = "2025-08-22", Reason = "again", RequestId = Guid.CreateVersion7().ToString() };

        var triggered = await Jobs.TriggerJobAsync(request, cancellationToken: Token);
        var replayed = await Jobs.TriggerJobAsync(request, cancellationToken: Token);
        Assert.Equal(triggered, replayed);
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT count(*) FROM kpi_slot WHERE binding_id = @id", new { id = bound.BindingId }));
        Assert.StartsWith("manual:", triggered.Occurrence.SlotKey);
        Assert.Equal("2025-08-22", triggered.Occurrence.BusinessDate);

        var cancelled = await Jobs.CancelOccurrenceAsync(new CancelOccurrenceRequest { BindingId = bound.BindingId, SlotKey = triggered.Occurrence.SlotKey, Reason = "no" }, cancellationToken: Token);

        Assert.True(cancelled.Ended);
        Assert.Equal("cancelled manual no 2025-08-22", await fixture.ScalarAsync<string>(
            "SELECT concat_ws(' ', status, trigger_kind, reason, business_date) FROM kpi_job_history JOIN kpi_chained ON kind = 'h' AND id = run_id WHERE binding_id = @id AND final", new { id = bound.BindingId }));
        Assert.Equal(0, await fixture.ScalarAsync<long>("SELECT count(*) FROM kpi_open_occurrence WHERE binding_id = @id", new { id = bound.BindingId }));
        Assert.Equal(0, await fixture.ScalarAsync<int>("SELECT queued FROM kpi_job_runtime WHERE binding_id = @id", new { id = bound.BindingId }));
        var again = await Refusals.OfAsync(Jobs.CancelOccurrenceAsync(new CancelOccurrenceRequest { BindingId = bound.BindingId, SlotKey = triggered.Occurrence.SlotKey }, cancellationToken: Token));
        var nothing = await Refusals.OfAsync(Jobs.CancelOccurrenceAsync(new CancelOccurrenceRequest { BindingId = bound.BindingId }, cancellationToken: Token));
        Assert.Equal((StatusCode.NotFound, "NOTHING_OPEN"), (again.StatusCode, nothing.Info().Reason));
    }

    [Fact]
    public async Task One_that_waits_leaves_no_trace_but_its_history_row()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "waiting");
        await fixture.RunAsync("""
            UPDATE kpi_job_runtime SET occ_state = 'W', occ_scheduled_for = '2026-01-01T00:00Z', occ_kind = 0, occ_business_date = '2025-12-31', occ_reason = 1 WHERE binding_id = @id;
            INSERT INTO kpi_parked (binding_id, lane, tenant_id, state, ready_at) SELECT binding_id, lane, tenant_id, 'W', now() FROM kpi_job_runtime WHERE binding_id = @id
              ON CONFLICT (binding_id) DO NOTHING;
            INSERT INTO kpi_occurrence_wait (binding_id, dep_type, dep_value, tenant_id, environment, region, business_date, scheduled_for)
              VALUES (@id, 'signal', 'eod', 'acme', 'dev', 'eu', '2025-12-31', '2026-01-01T00:00Z')
            """, new { id = bound.BindingId });

        var cancelled = await Jobs.CancelOccurrenceAsync(new CancelOccurrenceRequest { BindingId = bound.BindingId, SlotKey = "schedule:2026-01-01T00:00:00Z" }, cancellationToken: Token);

        Assert.True(cancelled.Ended);
        Assert.Equal("0 0 1", await fixture.ScalarAsync<string>("""
            SELECT concat_ws(' ', (SELECT count(*) FROM kpi_parked WHERE binding_id = @id), (SELECT count(*) FROM kpi_occurrence_wait WHERE binding_id = @id),
              (SELECT count(*) FROM kpi_job_history WHERE binding_id = @id AND status = 'cancelled' AND final AND trigger_kind = 'schedule'))
            """, new { id = bound.BindingId }));
    }

    [Fact]
    public async Task A_stretch_counts_by_the_schedule_it_was_queued_under()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "stretch", "0 * * * *");
        await fixture.RunAsync("""
            UPDATE kpi_job_runtime SET queued = 1, occ_state = 'R', occ_scheduled_for = '2025-12-31T00:00Z', occ_kind = 0, occ_business_date = '2025-12-30', next_run_at = NULL WHERE binding_id = @id;
            INSERT INTO kpi_occurrence (binding_id, scheduled_for, kind, last_slot, lane, business_date, revision, tenant_id, requested_by, reason)
            SELECT @id, '2026-01-01T00:00Z', 0, '2026-01-01T05:00Z', lane, '2025-12-31', 1, 'acme', 'schedule', 'catchup' FROM kpi_job_runtime WHERE binding_id = @id
            """, new { id = bound.BindingId });
        await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound.BindingId, ScheduleCron = "0 4 * * *" }, cancellationToken: Token);

        await Jobs.CancelOccurrenceAsync(new CancelOccurrenceRequest { BindingId = bound.BindingId, SlotKey = "schedule:2026-01-01T00:00:00Z" }, cancellationToken: Token);

        Assert.Equal(6, await fixture.ScalarAsync<int>("SELECT slot_count FROM kpi_job_history WHERE binding_id = @id AND status = 'cancelled'", new { id = bound.BindingId }));
    }

    [Fact]
    public async Task What_a_waiting_one_lacks_is_shown_with_its_date_and_since_when_and_what_is_there_is_not()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "lacks");
        await fixture.RunAsync("""
            INSERT INTO kpi_job_dependency (binding_id, dep_type, dep_value, tenant_id)
              VALUES (@id, 'signal', 'eod_lacking', 'acme'), (@id, 'gdp', 'GDP_There', 'acme'), (@id, 'gdp', 'GDP_Lacking', 'acme');
            UPDATE kpi_job_runtime SET occ_state = 'W', occ_scheduled_for = '2026-01-01T00:00Z', occ_kind = 0, occ_business_date = '2025-12-31', occ_reason = 1 WHERE binding_id = @id;
            INSERT INTO kpi_occurrence_wait (binding_id, dep_type, dep_value, tenant_id, environment, region, business_date, scheduled_for, need_through, since)
              VALUES (@id, 'signal', 'eod_lacking', 'acme', 'dev', 'eu', '2025-12-31', '2026-01-01T00:00Z', NULL, '2026-01-01T00:00:07Z'),
                     (@id, 'gdp', 'GDP_There', 'acme', 'dev', 'eu', '2025-12-31', '2026-01-01T00:00Z', '2026-01-01T00:00Z', '2026-01-01T00:00:07Z'),
                     (@id, 'gdp', 'GDP_Lacking', 'acme', 'dev', 'eu', '2025-12-31', '2026-01-01T00:00Z', '2026-01-01T00:00Z', '2026-01-01T00:00:07Z');
            INSERT INTO kpi_refresh (tenant_id, environment, dataset, data_through, source_run, published_by) VALUES ('acme', 'dev', 'GDP_There', '2026-01-01T00:00Z', '1', 'a test')
            """, new { id = bound.BindingId });

        var job = await Jobs.GetJobAsync(new GetJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);

        Assert.Equal(["gdp GDP_Lacking with data through 2026-01-01T00:00:00Z, since 2026-01-01T00:00:07Z", "signal eod_lacking for 2025-12-31, since 2026-01-01T00:00:07Z"], job.Occurrence.Missing);
    }

    [Fact]
    public async Task A_leased_one_is_asked_of_its_agent_and_stays_open()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "leased");
        await fixture.RunAsync("""
            INSERT INTO kpi_node (name, generation, expires_at) VALUES ('test-node', 1, now() + interval '1 hour');
            INSERT INTO kpi_session (session_id, agent, instance, region, node_id, node_generation, generation, build, slots)
            OVERRIDING SYSTEM VALUE SELECT 99, 'test-agent', gen_random_uuid(), 'eu', max(node_id), 1, 1, 'test', 1 FROM kpi_node;
            INSERT INTO kpi_session_tenant SELECT 99, tenant_id FROM kpi_job_binding WHERE binding_id = @id;
            UPDATE kpi_job_runtime SET occ_state = 'L', occ_scheduled_for = '2026-01-01T00:00Z', occ_kind = 0, occ_business_date = '2025-12-31',
              session_id = 99, generation = 1, lease_deadline = now() + interval '1 hour', attempt_id = gen_random_uuid(), fence_n = 5, fence_epoch = 1, next_run_at = NULL
             WHERE binding_id = @id
            """, new { id = bound.BindingId });

        var asked = await Jobs.CancelOccurrenceAsync(new CancelOccurrenceRequest { BindingId = bound.BindingId }, cancellationToken: Token);

        Assert.False(asked.Ended);
        Assert.Equal("leased", asked.Occurrence.State);
        Assert.Equal("L t", await fixture.ScalarAsync<string>("SELECT occ_state::text || ' ' || left(occ_cancel::text, 1) FROM kpi_job_runtime WHERE binding_id = @id", new { id = bound.BindingId }));
    }

    [Fact]
    public async Task Paused_retired_and_badly_dated_triggers_are_refused_and_change_nothing()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "refused");
        await Jobs.PauseJobAsync(new PauseJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        var before = await fixture.FootprintAsync();
        Task<RpcException> Refused(TriggerJobRequest request) => Refusals.OfAsync(Jobs.TriggerJobAsync(request, cancellationToken: Token));

        var paused = await Refused(new TriggerJobRequest { BindingId = bound.BindingId });
        var date = await Refused(new TriggerJobRequest { BindingId = bound.BindingId, BusinessDate = "22.08.2025" });
        Assert.Equal(before, await fixture.FootprintAsync());
        await Jobs.ResumeJobAsync(new ResumeJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);
        await fixture.RunAsync("UPDATE kpi_contract SET status = 'retired' WHERE tenant_id = 'acme' AND kpi_id = 'T-SIMPLE'");
        var retired = await Refused(new TriggerJobRequest { BindingId = bound.BindingId });
        await fixture.RunAsync("UPDATE kpi_contract SET status = 'active' WHERE tenant_id = 'acme' AND kpi_id = 'T-SIMPLE'");

        Assert.Equal(["PAUSED", "CONTRACT_NOT_ACTIVE"], [paused.Info().Reason, retired.Info().Reason]);
        Assert.Equal("business_date", Assert.Single(date.Violations()).Field);
    }

    [Fact]
    public async Task A_rehearsed_trigger_queues_nothing()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "rehearsal");
        var before = await fixture.FootprintAsync();

        await Jobs.TriggerJobAsync(new TriggerJobRequest { BindingId = bound.BindingId, ValidateOnly = true, RequestId = Guid.CreateVersion7().ToString() }, cancellationToken: Token);

        Assert.Equal(before, await fixture.FootprintAsync());
    }
}
