using KpiControl.Control.Tests.Leases;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Schedules;

/// <summary>Slots that a calendar takes away have their row, and those about them run.</summary>
public sealed class CalendarSlotTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static DateOnly Today => DateOnly.FromDateTime(TimeProvider.System.GetUtcNow().UtcDateTime);

    [Fact]
    public async Task A_holiday_is_recorded_once_as_skipped_and_the_slot_after_it_runs()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await CreateAsync(world, $"holidays: [{{ date: {Today.AddDays(-1):yyyy-MM-dd}, name: Founders' Day }}]", "0 */6 * * *", "catchup: latest");
        await SetCursorAsync(world, binding, Today.AddDays(-1));
        await using var agent = await world.AgentAsync();
        var lease = await agent.LeaseAsync();

        Assert.Equal(Today, DateOnly.FromDateTime(lease.ScheduledFor.ToDateTime()));
        // The window reaches back over the holiday, to the last slot that fired.
        Assert.True(lease.WindowStart.ToDateTime() < lease.ScheduledFor.ToDateTime());
        Assert.Equal($"holiday {Today.AddDays(-1):yyyy-MM-dd} 00:00 18:00 4", await world.OneAsync<string>("""
            SELECT concat_ws(' ', reason, to_char(scheduled_for AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), to_char(slot_last AT TIME ZONE 'UTC', 'HH24:MI'), slot_count)
              FROM kpi_job_history WHERE binding_id = @binding AND reason = 'holiday'
            """, new { binding }));
        Assert.Equal(0, await world.OneAsync<long>("SELECT count(*) FROM kpi_run_notice WHERE binding_id = @binding", new { binding }));
        await agent.FinishAsync(TestAgent.Success(lease));
        var told = await world.Node.Jobs().ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = binding, SlotKey = $"schedule:{Today.AddDays(-1):yyyy-MM-dd}T06:00:00Z" }, cancellationToken: Token);
        Assert.StartsWith("It was skipped: its day is a holiday (holiday) (one of 4 slots up to ", told.Answer, StringComparison.Ordinal);
        Assert.EndsWith("Not a business day (holiday: Founders' Day), calendar days version 1.", told.Answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Catching_up_runs_both_sides_of_a_holiday_and_a_blackout_and_not_them()
    {
        await using var world = await LeaseWorld.StartAsync();
        var (first, holiday, last) = (Today.AddDays(-3), Today.AddDays(-2), Today.AddDays(-1));
        var calendar = $"holidays: [{{ date: {holiday:yyyy-MM-dd}, name: H }}]\nblackouts: [{{ from: {last:yyyy-MM-dd}T05:00, to: {last:yyyy-MM-dd}T07:00, reason: upgrade }}]";
        var binding = await CreateAsync(world, calendar, "0 0,6,12 * * *", "catchup: all, catchup_window: 10d");
        // Up to yesterday's last; today's own are left to the live lane.
        await SetCursorAsync(world, binding, first);
        await using var agent = await world.AgentAsync(credit: 20);
        using var alive = new PeriodicHeartbeat(agent);

        var ran = new List<string>();
        while (!ran.Contains($"{last:yyyy-MM-dd}T12:00"))
        {
            var lease = await agent.LeaseAsync(ran.Count + 1);
            ran.Add($"{lease.ScheduledFor.ToDateTime():yyyy-MM-dd'T'HH:mm}");
            await agent.FinishAsync(TestAgent.Success(lease));
        }
        Assert.Equal([.. new[] { "00", "06", "12" }.Select(hour => $"{first:yyyy-MM-dd}T{hour}:00"), $"{last:yyyy-MM-dd}T00:00", $"{last:yyyy-MM-dd}T12:00"], ran.Where(slot => string.CompareOrdinal(slot, $"{Today:yyyy-MM-dd}") < 0));
        Assert.Equal("3 holiday, 1 blackout", await world.OneAsync<string>(
            "SELECT string_agg(slot_count || ' ' || reason, ', ' ORDER BY scheduled_for) FROM kpi_job_history WHERE binding_id = @binding AND reason IN ('holiday', 'blackout')", new { binding }));
    }

    [Fact]
    public async Task A_new_version_leaves_what_is_due_and_moves_what_lies_ahead()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await CreateAsync(world, "", "0 0 * * *", "catchup: all, catchup_window: 10d");
        // Nothing takes it up: today's slot stays due.
        await world.Node.Jobs().PauseJobAsync(new PauseJobRequest { BindingId = binding }, cancellationToken: Token);
        await SetCursorAsync(world, binding, Today);
        await PutAsync(world, $"holidays: [{{ date: {Today.AddDays(1):yyyy-MM-dd}, name: H }}]");
        Assert.Equal($"2 {Today:yyyy-MM-dd}", await world.OneAsync<string>("SELECT concat_ws(' ', calendar_version, (next_run_at AT TIME ZONE 'UTC')::date) FROM kpi_job_binding JOIN kpi_job_runtime USING (binding_id) WHERE binding_id = @binding", new { binding }));
        // Of a version that says another thing of the due slot itself, the slot is the old one's: it has its row.
        await PutAsync(world, $"holidays: [{{ date: {Today:yyyy-MM-dd}, name: H }}]");
        Assert.Equal("skipped paused 2", await world.OneAsync<string>("SELECT concat_ws(' ', status, reason, revision) FROM kpi_job_history WHERE binding_id = @binding", new { binding }));
        Assert.Equal($"{Today.AddDays(1):yyyy-MM-dd}", await world.OneAsync<string>("SELECT (next_run_at AT TIME ZONE 'UTC')::date::text FROM kpi_job_runtime WHERE binding_id = @binding", new { binding }));
    }

    private static async Task<long> CreateAsync(LeaseWorld world, string calendar, string cron, string more)
    {
        await PutAsync(world, calendar);
        await world.Node.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var text = SampleTexts.Simple("on_days", cron).Replace("timezone: UTC", $"timezone: UTC, calendar: days, {more}", StringComparison.Ordinal);
        return (await world.Node.Jobs().CreateJobAsync(new CreateJobRequest { Content = text }, cancellationToken: Token)).BindingId;
    }

    private static async Task PutAsync(LeaseWorld world, string calendar) =>
        await world.Node.Catalog().PutCalendarAsync(new PutCalendarRequest { Tenant = "acme", Content = "calendar: days\nweekend: []\n" + calendar }, cancellationToken: Token);

    private static Task SetCursorAsync(LeaseWorld world, long binding, DateOnly day) => world.ExecuteAsync("""
        ALTER TABLE kpi_binding_revision DISABLE TRIGGER append_only;
        UPDATE kpi_binding_revision SET first_slot_after = @day::date - interval '1 minute' WHERE binding_id = @binding;
        ALTER TABLE kpi_binding_revision ENABLE TRIGGER append_only;
        UPDATE kpi_job_runtime SET next_run_at = @day::timestamp AT TIME ZONE 'UTC' WHERE binding_id = @binding;
        SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_job_runtime WHERE binding_id = @binding
        """, new { binding, day = day.ToDateTime(TimeOnly.MinValue) });
}
