using System.Globalization;
using KpiControl.Control.Tests.Leases;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Signals;

/// <summary>What signals start, and schedules that begin and end.</summary>
public sealed class EventTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_dated_signal_starts_an_event_job_once_however_often_it_is_told()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await CreateAsync(world, "listens", "type: event, on: [erp_eod, other]");
        await CreateAsync(world, "deaf", "type: event, on: [something_else]");
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        var request = new PublishSignalRequest { Tenant = "acme", Name = "erp_eod", BusinessDate = "2026-01-31", RequestId = Guid.CreateVersion7().ToString() };

        var first = await PublishAsync(world, request);
        var replayed = await PublishAsync(world, request);
        var again = await PublishAsync(world, new PublishSignalRequest(request) { RequestId = "" });
        var elsewhere = await PublishAsync(world, new PublishSignalRequest(request) { RequestId = "", Region = "eu" });

        Assert.Equal((1, 1, 0, 0), (first.Started, replayed.Started, again.Started, elsewhere.Started));
        var lease = await agent.LeaseAsync();
        Assert.Equal((binding, "2026-01-31"), (lease.BindingId, lease.BusinessDate));
        Assert.StartsWith("event:", lease.SlotKey, StringComparison.Ordinal);
        await agent.FinishAsync(TestAgent.Success(lease));
        Assert.Equal(1, (await PublishAsync(world, new PublishSignalRequest(request) { RequestId = "", BusinessDate = "2026-02-28" })).Started);
        var told = await world.Node.Jobs().ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = binding, SlotKey = lease.SlotKey }, cancellationToken: Token);
        Assert.Contains(told.Facts, fact => fact.Text.Contains($"signal/{first.SignalId} erp_eod of 2026-01-31", StringComparison.Ordinal));
        Assert.Equal(2, await world.OneAsync<long>("SELECT count(*) FROM kpi_slot WHERE binding_id = @binding", new { binding }));
    }

    [Fact]
    public async Task An_undated_signal_is_each_time_another_and_begins_where_the_one_before_ended()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await CreateAsync(world, "listens", "type: event, on: [tick]");
        Assert.Equal(1, (await PublishAsync(world, new PublishSignalRequest { Tenant = "acme", Name = "tick", ValidateOnly = true })).Started);

        await PublishAsync(world, new PublishSignalRequest { Tenant = "acme", Name = "tick" });
        await PublishAsync(world, new PublishSignalRequest { Tenant = "acme", Name = "tick" });

        Assert.Equal(2, await world.OneAsync<long>("SELECT count(DISTINCT scheduled_for) FROM kpi_slot WHERE binding_id = @binding", new { binding }));
        Assert.Equal(1, await world.OneAsync<long>("SELECT count(*) FROM kpi_open_occurrence o WHERE binding_id = @binding AND window_start = (SELECT min(scheduled_for) FROM kpi_slot s WHERE s.binding_id = o.binding_id)", new { binding }));
    }

    [Fact]
    public async Task A_paused_event_job_runs_when_it_is_resumed_and_one_outside_its_bounds_or_inactive_never()
    {
        await using var world = await LeaseWorld.StartAsync();
        var paused = await CreateAsync(world, "paused", "type: event, on: [tick]");
        var inactive = await CreateAsync(world, "inactive", "type: event, on: [tick]");
        await CreateAsync(world, "over", "type: event, on: [tick], end_at: 2025-12-31");
        await CreateAsync(world, "early", "type: event, on: [tick], start_at: 2090-01-01");
        await world.Node.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = inactive, ActiveFlag = false }, cancellationToken: Token);
        await world.Node.Jobs().PauseJobAsync(new PauseJobRequest { BindingId = paused }, cancellationToken: Token);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);

        Assert.Equal(1, (await PublishAsync(world, new PublishSignalRequest { Tenant = "acme", Name = "tick" })).Started);
        Assert.Equal("queued", await world.OneAsync<string>("SELECT state FROM kpi_open_occurrence WHERE binding_id = @paused", new { paused }));
        await world.Node.Jobs().ResumeJobAsync(new ResumeJobRequest { BindingId = paused }, cancellationToken: Token);

        Assert.Equal(paused, (await agent.LeaseAsync()).BindingId);
    }

    [Fact]
    public async Task A_schedule_that_ends_runs_its_last_slot_and_says_that_none_follows()
    {
        await using var world = await LeaseWorld.StartAsync();
        DateTimeOffset last = await world.OneAsync<DateTime>("SELECT date_trunc('minute', now())");
        var end = last.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        var binding = await world.Seed.BindAsync(BindingSeed.Job("ends", schedule: $"  end_at: {end}"), $"'{end}'::timestamptz");
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);

        var lease = await agent.LeaseAsync();
        await agent.FinishAsync(TestAgent.Success(lease));

        Assert.Equal(last, lease.ScheduledFor.ToDateTimeOffset());
        Assert.True(await world.OneAsync<bool>("SELECT next_run_at IS NULL FROM kpi_job_runtime WHERE binding_id = @binding", new { binding }));
        var told = await ExplainAsync(world, binding, last.AddMinutes(1));
        Assert.Contains(told.Facts, fact => fact.Kind == "ended");
        var preview = await world.Node.Jobs().PreviewScheduleAsync(new PreviewScheduleRequest { BindingId = binding }, cancellationToken: Token);
        Assert.Empty(preview.FireTimes);
        Assert.Equal(last, preview.EndsAt.ToDateTimeOffset());
    }

    [Fact]
    public async Task A_spread_is_shown_and_an_edit_of_it_moves_the_cursor()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await CreateAsync(world, "spread", $"type: cron, expression: \"{ByTheClock.Yearly}\", spread: 12h");
        var preview = await world.Node.Jobs().PreviewScheduleAsync(new PreviewScheduleRequest { BindingId = binding }, cancellationToken: Token);
        var first = preview.FireTimes[0].At.ToDateTimeOffset();
        Assert.True(preview.SpreadOffset.ToTimeSpan() > TimeSpan.Zero);
        Assert.Equal(first.Date + preview.SpreadOffset.ToTimeSpan(), first.DateTime);
        Assert.Equal($"{first.AddDays(-1):yyyy-MM-dd}", preview.FireTimes[0].BusinessDate);
        Assert.Equal(first, await CursorAsync(world, binding));

        await world.Node.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = binding, Content = Text("spread", $"type: cron, expression: \"{ByTheClock.Yearly}\"") }, cancellationToken: Token);

        Assert.Equal(first - preview.SpreadOffset.ToTimeSpan(), await CursorAsync(world, binding));
    }

    private static async Task<DateTimeOffset> CursorAsync(LeaseWorld world, long binding) =>
        await world.OneAsync<DateTime>("SELECT next_run_at FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });

    private static string Text(string jobId, string schedule) => SampleTexts.Simple(jobId).Replace("type: cron, expression: \"*/15 * * * *\", timezone: UTC", schedule, StringComparison.Ordinal);

    private static async Task<long> CreateAsync(LeaseWorld world, string jobId, string schedule)
    {
        await world.Node.PutContractAsync(SampleTexts.SimpleContract(), Token);
        return (await world.Node.Jobs().CreateJobAsync(new CreateJobRequest { Content = Text(jobId, schedule) }, cancellationToken: Token)).BindingId;
    }

    private static async Task<PublishSignalResponse> PublishAsync(LeaseWorld world, PublishSignalRequest request) =>
        await new SignalService.SignalServiceClient(world.Node.Channel()).PublishSignalAsync(request, cancellationToken: Token);

    private static async Task<ExplainOccurrenceResponse> ExplainAsync(LeaseWorld world, long binding, DateTimeOffset at) => await world.Node.Jobs().ExplainOccurrenceAsync(
        new ExplainOccurrenceRequest { BindingId = binding, At = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(at) }, cancellationToken: Token);
}
