using Dapper;
using Grpc.Core;
using KpiControl.Control.Tests.Runs;
using KpiControl.Protocol.V1;
using Npgsql;

namespace KpiControl.Control.Tests.Monitoring;

/// <summary>The views that monitoring reads, and the overview that says the same over the API.</summary>
public sealed class MonitoringViewTests : IAsyncLifetime
{
    private RunWorld world = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => world = await RunWorld.CreateAsync();

    public ValueTask DisposeAsync() => world.DisposeAsync();

    [Fact]
    public async Task What_ended_in_the_hour_is_counted_by_disposition_alike_in_sql_and_over_the_api()
    {
        await RecordAsync("success", delay: "1 minute", took: "10 seconds");
        await RecordAsync("success", delay: "10 minutes", took: "20 seconds");
        await RecordAsync("partial", delay: "2 minutes", took: "30 seconds");
        await RecordAsync("failed", delay: "3 minutes", took: "40 seconds", code: "SQL_ERROR", category: "execution");
        await RecordAsync("skipped", reason: "overlap", slots: 7);

        var row = await world.TextAsync("""
            SELECT string_agg(concat_ws(' ', tenant_id, environment, region, occurrences, succeeded, failed, skipped, attempts, percent_succeeded, percent_within_5_minutes,
                              extract(epoch FROM start_delay_p95)::int, extract(epoch FROM took_p95)::int), ';') FROM kpi_monitor_execution
            """);
        Assert.Equal("acme dev eu 11 3 1 7 4 75.000 75.000 600 40", row);
        Assert.Equal("execution SQL_ERROR 1 1", await world.TextAsync("SELECT concat_ws(' ', error_category, error_code, attempts, jobs) FROM kpi_monitor_error"));

        var place = Assert.Single((await OverviewAsync(new())).Places);
        Assert.Equal((3L, 1L, 7L, 4L), (place.Succeeded, place.Failed, place.Skipped, place.Attempts));
        Assert.Equal((75.0, 75.0, 600L, 40L), (place.PercentSucceeded, place.PercentWithin5Minutes, place.StartDelayP95.Seconds, place.TookP95.Seconds));
        Assert.Equal(("execution", "SQL_ERROR", 1L), (place.Errors[0].ErrorCategory, place.Errors[0].ErrorCode, place.Errors[0].Attempts));
    }

    [Fact]
    public async Task Where_nothing_ran_no_share_is_made_up()
    {
        await RecordAsync("skipped", reason: "paused");
        var place = Assert.Single((await OverviewAsync(new())).Places);
        Assert.Equal((1L, false, false), (place.Skipped, place.HasPercentSucceeded, place.HasPercentWithin5Minutes));
        Assert.Null(place.StartDelayP95);
        Assert.Equal("", await world.TextAsync("SELECT concat(percent_succeeded, percent_within_5_minutes) FROM kpi_monitor_execution"));
    }

    [Theory]
    [InlineData("next_run_at = now() + interval '1 hour'", "idle", "")]
    [InlineData("next_run_at = now() - interval '1 minute', lane = 30000", "due", "")]
    [InlineData("occ_state = 'W', occ_reason = 1", "waiting", "dependency")]
    [InlineData("occ_state = 'R', occ_reason = 2", "ready", "retry")]
    [InlineData("occ_state = 'R', occ_reason = 6", "ready", "returned")]
    [InlineData("paused_until = 'infinity', lane = -30000", "paused", "")]
    public async Task A_jobs_state_is_the_word_that_the_overview_counts_under(string set, string state, string reason)
    {
        await world.ExecuteAsync($"UPDATE kpi_job_runtime SET occ_kind = 0, occ_scheduled_for = '2026-01-05T02:00:00Z', occ_business_date = '2026-01-04', {set} WHERE binding_id = @Binding", new { world.Binding });
        Assert.Equal($"dso_daily {state} {reason}", await world.TextAsync("SELECT concat(job_id, ' ', state, ' ', reason) FROM kpi_monitor_job"));
        var place = Assert.Single((await OverviewAsync(new())).Places);
        var counts = new Dictionary<string, int> { ["due"] = place.Due, ["waiting"] = place.Waiting, ["ready"] = place.Ready, ["paused"] = place.Paused };
        Assert.Equal(state == "idle" ? [] : [state], counts.Where(count => count.Value == 1).Select(count => count.Key));
    }

    [Fact]
    public async Task What_is_waited_for_says_since_when_and_a_broken_promise_its_episode()
    {
        await world.ExecuteAsync("""
            INSERT INTO kpi_occurrence_wait (binding_id, dep_type, dep_value, tenant_id, environment, region, business_date, scheduled_for, since)
            VALUES (@Binding, 'signal', 'erp_eod_sync', 'acme', 'dev', 'eu', '2026-01-04', '2026-01-05T02:00:00Z', now() - interval '3 hours');
            INSERT INTO kpi_sla_clock (binding_id, clock, tenant_id, state) VALUES (@Binding, 'freshness', 'acme', 'breach');
            INSERT INTO kpi_sla_episode (tenant_id, binding_id, clock, opened_at, breached_at, breach_recorded_at) VALUES ('acme', @Binding, 'freshness', now(), now(), now())
            """, new { world.Binding });
        Assert.Equal("dso_daily signal erp_eod_sync 2026-01-04 3", await world.TextAsync("SELECT concat_ws(' ', job_id, dep_type, dep_value, business_date, extract(hour FROM waited)) FROM kpi_monitor_wait"));
        Assert.Equal("freshness breach t", await world.TextAsync("SELECT concat_ws(' ', clock, state, episode_id IS NOT NULL) FROM kpi_monitor_sla"));
        Assert.Equal(1, Assert.Single((await OverviewAsync(new())).Places).SlaBreach);
    }

    [Fact]
    public async Task A_run_is_told_with_its_cause_its_delay_and_the_version_that_it_ran_under()
    {
        await RecordAsync("success", delay: "1 minute", took: "10 seconds");
        await world.ExecuteAsync("UPDATE kpi_job_binding SET contract_version = '9.9.9' WHERE binding_id = @Binding", new { world.Binding });
        Assert.Equal("schedule success 1 60 10", await world.TextAsync("SELECT concat_ws(' ', cause, status, try_number, extract(epoch FROM start_delay)::int, extract(epoch FROM took)::int) FROM kpi_monitor_run"));
        Assert.DoesNotContain("9.9.9", await world.TextAsync("SELECT coalesce(contract_version, 'none') FROM kpi_monitor_run"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Hours_beyond_a_month_are_refused()
    {
        var refused = await Assert.ThrowsAsync<RpcException>(() => OverviewAsync(new() { Hours = 745 }));
        Assert.StartsWith("hours: ", refused.Status.Detail, StringComparison.Ordinal);
    }

    private Task<Overview> OverviewAsync(GetOverviewRequest request) =>
        new MonitorService.MonitorServiceClient(world.Host.Channel()).GetOverviewAsync(request, cancellationToken: Token).ResponseAsync;

    private Task<int> RecordAsync(string status, string? delay = null, string? took = null, string? reason = null, string? code = null, string? category = null, int slots = 1) =>
        world.ExecuteAsync("""
            INSERT INTO kpi_job_history (run_id, binding_id, scheduled_for, slot_last, slot_count, started_at, finished_at, revision, business_date, lane, final, tenant_id, status, trigger_kind, reason,
                   attempt_id, fence_epoch, error_category, error_code)
            SELECT nextval('kpi_fence'), @Binding, at, CASE WHEN @slots > 1 THEN at + interval '1 minute' END, @slots, at + @delay::interval, at + @delay::interval + @took::interval, 1, '2026-01-04', 1, true, 'acme',
                   @status, 'schedule', @reason, CASE WHEN @delay::text IS NOT NULL THEN gen_random_uuid() END, CASE WHEN @delay::text IS NOT NULL THEN 1 END, @category, @code
              FROM (SELECT now() - interval '15 minutes' AS at) slot
            """, new { world.Binding, status, delay, took, reason, code, category, slots });
}
