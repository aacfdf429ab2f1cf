using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Leases;
using KpiControl.Control.Tests.Leases;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Runs;

/// <summary>Every word for what becomes of an occurrence, and for why it waits, produced by the product itself and explained.</summary>
public sealed class ExplainReasonTests
{
    private const string Far = "now() + interval '20 years'", DeadlineNow =
        "UPDATE kpi_job_runtime SET occ_deadline = now() WHERE binding_id = @binding; UPDATE kpi_parked SET deadline = now() WHERE binding_id = @binding";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static DateOnly Today => DateOnly.FromDateTime(TimeProvider.System.GetUtcNow().UtcDateTime);

    private sealed record Case(Func<LeaseWorld, Task<long>> Produce, string Answer, params string[] Kinds);

    private static readonly Dictionary<string, Case> Skips = new()
    {
        [SkipReason.Overlap] = new(OverlapAsync, "It was skipped: another occurrence of the job held it (overlap: skip).", "scheduled", "held", "policy", "finished"),
        [SkipReason.Paused] = new(PausedAsync, "It was skipped: the job was paused.", "scheduled", "paused", "finished"),
        [SkipReason.Holiday] = new(world => DayOffAsync(world, $"holidays: [{{ date: {Today.AddDays(-1):yyyy-MM-dd}, name: Founders' Day }}]"), "Not a business day (holiday: Founders' Day), calendar days version 1.", "calendar", "finished"),
        [SkipReason.Blackout] = new(world => DayOffAsync(world, $"blackouts: [{{ from: {Today.AddDays(-1):yyyy-MM-dd}T00:00, to: {Today.AddDays(-1):yyyy-MM-dd}T23:00, reason: ERP upgrade }}]"), "In a blackout (ERP upgrade), calendar days version 1.", "calendar", "finished"),
        [SkipReason.NotReady] = new(NotReadyAsync, "It was skipped: what it depends on did not come in time (not_ready). Signal never for ", "scheduled", "dependency", "finished"),
        [SkipReason.PreValidation] = new(PreValidationAsync, "It was skipped: its inputs did not pass the contract's rules (pre_validation): VALIDATION_FAIL_PRE, no rows.", "scheduled", "leased", "finished"),
        [SkipReason.ContractInactive] = new(ContractInactiveAsync, "It was skipped: its contract was not active (contract_inactive). CFO-EF-02@1.1.0 is retired since ", "scheduled", "contract", "finished"),
        [SkipReason.Superseded] = new(SupersededAsync, "It was skipped: a newer slot ran in its place (superseded)", "scheduled", "policy", "superseded", "finished"),
        [SkipReason.MissedWindow] = new(MissedWindowAsync, "It was skipped: it came and went unseen, and catch-up does not reach it (missed_window)", "scheduled", "policy", "finished"),
        [SkipReason.Unroutable] = new(UnroutableAsync, "It was skipped: no agent could take it (unroutable).", "triggered", "needs", "finished"),
    };

    public static TheoryData<string> Reasons => [.. SkipReason.All];

    [Theory, MemberData(nameof(Reasons))]
    public async Task Why_a_slot_did_not_run(string reason)
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:UnroutableGivesUpAfter", "00:00:01"));
        var binding = await Skips[reason].Produce(world);
        await world.UntilAsync("SELECT EXISTS (SELECT FROM kpi_job_history WHERE binding_id = @binding AND status = 'skipped' AND reason = @reason)", new { binding, reason });
        var skipped = (await world.Node.Jobs().ListRunsAsync(new ListRunsRequest { BindingId = binding, PageSize = 1000 }, cancellationToken: Token)).Runs.Last(run => run.Reason == reason);

        var told = await ByKeyAsync(world, binding, skipped.SlotKey);
        Assert.Contains(Skips[reason].Answer, told.Answer, StringComparison.Ordinal);
        Assert.Subset(told.Facts.Select(fact => fact.Kind).ToHashSet(), Skips[reason].Kinds.ToHashSet());
        Assert.Contains(told.Facts, fact => fact.Reference == $"run/{skipped.RunId}");
        InOrder(told);
        // The instant is answered like the key.
        Assert.Equal(told.Answer, (await AtAsync(world, binding, skipped.ScheduledFor.ToDateTimeOffset())).Answer);
    }

    [Theory]
    [InlineData("success", "It succeeded.")]
    [InlineData("partial", "It was delivered in part.")]
    [InlineData("failed", "It failed: SQL_ERROR, It failed..")]
    [InlineData("suppressed", "It was computed and suppressed by a rule")]
    [InlineData("cancelled", "It was cancelled")]
    public async Task What_became_of_a_run(string status, string answer)
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("runs", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        var lease = await agent.LeaseAsync();
        if (status == "cancelled")
            await world.Node.Jobs().CancelOccurrenceAsync(new CancelOccurrenceRequest { BindingId = binding, Reason = "wrong rates" }, cancellationToken: Token);
        await agent.FinishAsync(status == "failed" ? TestAgent.Failure(lease) : TestAgent.Result(lease, status));

        var told = await ByKeyAsync(world, binding, lease.SlotKey);
        Assert.StartsWith(answer, told.Answer, StringComparison.Ordinal);
        // The seed puts its revision in force now, and its slot lies before.
        Assert.Equal(["finished", "leased", "next", "revision", "scheduled"], told.Facts.Select(fact => fact.Kind).Order());
        InOrder(told);
    }

    [Fact]
    public async Task A_wait_for_what_it_depends_on_and_for_its_next_try()
    {
        await using var world = await LeaseWorld.StartAsync();
        var waits = await world.Seed.BindAsync(BindingSeed.Job("waits", ByTheClock.Hourly, more: "dependencies: { signals: [erp], gdp: [GDP_Sales] }"), ByTheClock.LastHour);
        await world.UntilAsync("SELECT count(*) = 2 FROM kpi_occurrence_wait WHERE binding_id = @waits", new { waits });
        await new SignalService.SignalServiceClient(world.Node.Channel()).PublishSignalAsync(new PublishSignalRequest { Tenant = "acme", Name = "erp", BusinessDate = await DateOfAsync(world, waits) }, cancellationToken: Token);
        var told = await ByKeyAsync(world, waits, "");
        Assert.StartsWith("It waits for gdp GDP_Sales with data through ", told.Answer, StringComparison.Ordinal);
        Assert.Contains(told.Facts, fact => fact is { Kind: "missing" } && fact.Text.Contains(", since ", StringComparison.Ordinal));
        Assert.Contains(told.Facts, fact => fact is { Kind: "dependency" } && fact.Text.StartsWith("Signal erp for ", StringComparison.Ordinal) && fact.Text.EndsWith("was there, published by admin@acme.example.", StringComparison.Ordinal));
        InOrder(told);

        var retries = await world.Seed.BindAsync(BindingSeed.Job("retries", ByTheClock.Hourly, more: "retry: { max_retries: 1, backoff: fixed, initial: 20m, max: 20m }\ntimeout: 10m"), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        await agent.FinishAsync(TestAgent.Failure(await agent.LeaseAsync()));
        var again = await ByKeyAsync(world, retries, "");
        Assert.StartsWith("A try failed; the next one follows at ", again.Answer, StringComparison.Ordinal);
        Assert.Contains(again.Facts, fact => fact is { Kind: "retry", Text: "Try 2 follows then." });
        InOrder(again);
    }

    [Fact]
    public async Task A_wait_for_an_agent_for_its_credit_and_after_a_lost_or_returned_lease()
    {
        await using var world = await LeaseWorld.StartAsync(("Leases:Ttl", "00:01:00"));
        var binding = await world.Seed.BindAsync(BindingSeed.Job("routes", ByTheClock.Hourly), ByTheClock.LastHour);
        await ReasonAsync(world, binding, WaitingFor.Agent);
        var nobody = await ByKeyAsync(world, binding, "");
        Assert.StartsWith("It is ready, and no live agent in eu serves acme.", nobody.Answer, StringComparison.Ordinal);
        Assert.Contains(nobody.Facts, fact => fact.Text == "Ready (no_agent), and not leased yet.");

        await using var agent = await world.AgentAsync(credit: 0);
        using var alive = new PeriodicHeartbeat(agent);
        await ReasonAsync(world, binding, WaitingFor.Credit);
        var busy = await ByKeyAsync(world, binding, "");
        Assert.StartsWith("It is ready, and is leased as soon as an agent has a free slot.", busy.Answer, StringComparison.Ordinal);
        Assert.Contains(busy.Facts, fact => fact.Text == "Ready (no_credit), and not leased yet.");

        await agent.CreditAsync(1);
        await agent.SayAsync(new AgentMessage { Draining = new Draining { ReturnedAttempts = { (await agent.LeaseAsync()).AttemptId } } });
        await ReasonAsync(world, binding, WaitingFor.Returned);
        Assert.Contains((await ByKeyAsync(world, binding, "")).Facts, fact => fact.Text == "Ready (returned), and not leased yet.");

        await using (var second = await world.AgentAsync("agent-2"))
        {
            using var beats = new PeriodicHeartbeat(second);
            await second.LeaseAsync();
            await world.ExecuteAsync("UPDATE kpi_session SET ended_at = now(), end_reason = 'silent' WHERE session_id = @SessionId", new { second.Welcome.SessionId });
            await ReasonAsync(world, binding, WaitingFor.LeaseLost);
        }
        Assert.Contains((await ByKeyAsync(world, binding, "")).Facts, fact => fact.Text == "Ready (lease_lost), and not leased yet.");
    }

    [Fact]
    public async Task One_that_queues_names_what_it_queues_behind_and_one_that_runs_its_agent()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("queues", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        var running = await agent.LeaseAsync();
        var queued = await world.Node.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding, Reason = "month end" }, cancellationToken: Token);

        Assert.StartsWith("It is running on agent-eu.", (await ByKeyAsync(world, binding, running.SlotKey)).Answer, StringComparison.Ordinal);
        var told = await ByKeyAsync(world, binding, queued.Occurrence.SlotKey);
        Assert.StartsWith("It queues behind another occurrence of the job.", told.Answer, StringComparison.Ordinal);
        Assert.Contains(told.Facts, fact => fact.Kind == "queued" && fact.Text == $"Queues behind {running.SlotKey}.");
        Assert.Contains(told.Facts, fact => fact.Kind == "triggered" && fact.Text.EndsWith(", asked for by admin@acme.example: month end.", StringComparison.Ordinal));
        InOrder(told);
    }

    [Fact]
    public async Task One_that_ran_late_says_by_how_much_and_what_it_waited_for()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("late", TwoHoursAgo.Cron, more: "dependencies: { signals: [erp] }"), TwoHoursAgo.At, token: Token);
        await world.UntilAsync("SELECT count(*) = 1 FROM kpi_occurrence_wait WHERE binding_id = @binding", new { binding });
        await new SignalService.SignalServiceClient(world.Node.Channel()).PublishSignalAsync(new PublishSignalRequest { Tenant = "acme", Name = "erp", BusinessDate = await DateOfAsync(world, binding) }, cancellationToken: Token);
        var told = await RunNowAsync(world, binding);
        Assert.Matches("^It succeeded. It began 2h[0-9ms]* after its slot: it waited for signal erp for [0-9-]+ until [0-9TZ:-]+\\.$", told.Answer);
        Assert.Contains(told.Facts, fact => fact.Kind == "dependency" && fact.Reference.StartsWith("signal/", StringComparison.Ordinal));
        InOrder(told);
    }

    [Fact]
    public async Task One_that_a_pause_made_late_says_so_and_one_that_nobody_took_says_that()
    {
        await using var world = await LeaseWorld.StartAsync();
        var paused = await world.Seed.BindAsync(BindingSeed.Job("paused", TwoHoursAgo.Cron), Far, token: Token);
        await world.Node.Jobs().PauseJobAsync(new PauseJobRequest { BindingId = paused, Reason = "close of books" }, cancellationToken: Token);
        await world.ExecuteAsync($"UPDATE kpi_job_runtime SET next_run_at = {TwoHoursAgo.At} WHERE binding_id = @paused; {RevisionBefore}", new { paused, binding = paused });
        await world.Node.Jobs().ResumeJobAsync(new ResumeJobRequest { BindingId = paused }, cancellationToken: Token);
        Assert.Matches("^It succeeded. It began 2h[0-9ms]* after its slot: the job was paused until [0-9TZ:-]+\\.$", (await RunNowAsync(world, paused)).Answer);

        var untaken = await world.Seed.BindAsync(BindingSeed.Job("untaken", TwoHoursAgo.Cron), TwoHoursAgo.At, token: Token);
        Assert.Matches("^It succeeded. It began 2h[0-9ms]* after its slot: no agent took it before", (await RunNowAsync(world, untaken, "agent-2")).Answer);
    }

    [Fact]
    public async Task One_that_ran_twice_names_the_other_run_of_its_date()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("twice", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        var first = await agent.LeaseAsync();
        await agent.FinishAsync(TestAgent.Success(first));
        await world.Node.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding, BusinessDate = first.BusinessDate }, cancellationToken: Token);
        await agent.CreditAsync(1);
        var second = await agent.LeaseAsync(2);
        await agent.FinishAsync(TestAgent.Success(second));

        Assert.Contains((await ByKeyAsync(world, binding, first.SlotKey)).Facts, fact => fact.Kind == "also" && fact.Text == $"The business date ran as {second.SlotKey} too: success.");
        Assert.Contains((await ByKeyAsync(world, binding, second.SlotKey)).Facts, fact => fact.Kind == "also" && fact.Text == $"The business date ran as {first.SlotKey} too: success.");
    }

    [Fact]
    public async Task A_slot_to_come_in_a_pause_or_under_a_retired_contract_says_that_it_will_not_run()
    {
        await using var world = await LeaseWorld.StartAsync();
        var binding = await world.Seed.BindAsync(BindingSeed.Job("ahead", ByTheClock.Hourly), Far, token: Token);
        await world.ExecuteAsync(RevisionBefore, new { binding });
        var ahead = TimeProvider.System.GetUtcNow().AddDays(2);
        Assert.StartsWith("It is not due yet: it is scheduled for ", (await AtAsync(world, binding, ahead)).Answer, StringComparison.Ordinal);
        await world.Node.Jobs().PauseJobAsync(new PauseJobRequest { BindingId = binding }, cancellationToken: Token);
        Assert.StartsWith("It is not due yet; the job is paused.", (await AtAsync(world, binding, ahead)).Answer, StringComparison.Ordinal);
        await RetireAsync(world);
        Assert.StartsWith("It will be skipped as things stand: the contract CFO-EF-02@1.1.0 is retired (contract_inactive).", (await AtAsync(world, binding, ahead)).Answer, StringComparison.Ordinal);
    }

    // The producers: what the product does by itself, no row of history is written by a test ---------------------------------

    private static async Task<long> OverlapAsync(LeaseWorld world)
    {
        var binding = await world.Seed.BindAsync(BindingSeed.Job("secondly", "* * * * * *"), "date_trunc('second', now())");
        // With credit left: a slot for which there is none is left due.
        await using var agent = await world.AgentAsync(credit: 2);
        using var alive = new PeriodicHeartbeat(agent);
        var running = await agent.LeaseAsync();
        await world.UntilAsync("SELECT EXISTS (SELECT FROM kpi_job_history WHERE reason = 'overlap')");
        await world.ExecuteAsync("UPDATE kpi_job_runtime SET next_run_at = 'infinity'");
        await agent.FinishAsync(TestAgent.Success(running));
        return binding;
    }

    private static async Task<long> PausedAsync(LeaseWorld world)
    {
        var binding = await WaitingAsync(world);
        await world.Node.Jobs().PauseJobAsync(new PauseJobRequest { BindingId = binding, Reason = "close of books" }, cancellationToken: Token);
        await world.ExecuteAsync(DeadlineNow, new { binding });
        return binding;
    }

    private static async Task<long> NotReadyAsync(LeaseWorld world)
    {
        var binding = await WaitingAsync(world);
        await world.ExecuteAsync(DeadlineNow, new { binding });
        return binding;
    }

    private static async Task<long> WaitingAsync(LeaseWorld world)
    {
        var binding = await world.Seed.BindAsync(BindingSeed.Job("waits", ByTheClock.Hourly, more: "dependencies: { signals: [never] }"), ByTheClock.LastHour);
        await world.UntilAsync("SELECT occ_state = 'W' AND EXISTS (SELECT FROM kpi_occurrence_wait) FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });
        return binding;
    }

    private static async Task<long> DayOffAsync(LeaseWorld world, string calendar)
    {
        await world.Node.Catalog().PutCalendarAsync(new PutCalendarRequest { Tenant = "acme", Content = "calendar: days\nweekend: []\n" + calendar }, cancellationToken: Token);
        await world.Node.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var text = SampleTexts.Simple("on_days", "0 6 * * *").Replace("timezone: UTC", "timezone: UTC, calendar: days", StringComparison.Ordinal);
        var binding = (await world.Node.Jobs().CreateJobAsync(new CreateJobRequest { Content = text }, cancellationToken: Token)).BindingId;
        await DueAsync(world, binding, "date_trunc('day', now()) - interval '18 hours'");
        return binding;
    }

    private static async Task<long> PreValidationAsync(LeaseWorld world)
    {
        var binding = await world.Seed.BindAsync(BindingSeed.Job("checked", ByTheClock.Hourly), ByTheClock.LastHour);
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        var report = TestAgent.Result(await agent.LeaseAsync(), "skipped");
        (report.ErrorCode, report.ErrorCategory, report.ErrorMessage) = ("VALIDATION_FAIL_PRE", "pre-validation", "no rows");
        await agent.FinishAsync(report);
        return binding;
    }

    private static async Task<long> ContractInactiveAsync(LeaseWorld world)
    {
        var binding = await world.Seed.BindAsync(BindingSeed.Job("retired", ByTheClock.Hourly), Far, token: Token);
        await RetireAsync(world);
        await DueAsync(world, binding, ByTheClock.LastHour);
        return binding;
    }

    private static async Task<long> SupersededAsync(LeaseWorld world)
    {
        var binding = await world.Seed.BindAsync(BindingSeed.Job("minutely"), "date_trunc('minute', now()) - interval '60 minutes'");
        await using var agent = await world.AgentAsync();
        using var alive = new PeriodicHeartbeat(agent);
        await agent.FinishAsync(TestAgent.Success(await agent.LeaseAsync()));
        return binding;
    }

    private static Task<long> MissedWindowAsync(LeaseWorld world) =>
        world.Seed.BindAsync(BindingSeed.Job("missed", "0 12 * * *", "  catchup: none"), "date_trunc('day', now()) - interval '3 days' + interval '12 hours'");

    private static async Task<long> UnroutableAsync(LeaseWorld world)
    {
        var binding = await world.Seed.BindAsync(BindingSeed.Job("nobody", ByTheClock.Hourly), Far, token: Token);
        await world.ExecuteAsync(RevisionBefore, new { binding });
        await world.Node.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = binding }, cancellationToken: Token);
        return binding;
    }

    private static async Task RetireAsync(LeaseWorld world)
    {
        foreach (var status in new[] { "deprecated", "retired" })
            await world.Node.Catalog().SetContractStatusAsync(new SetContractStatusRequest { Tenant = "acme", KpiId = "CFO-EF-02", Version = "1.1.0", Status = status, Reason = "replaced" }, cancellationToken: Token);
    }

    private const string RevisionBefore = """
        ALTER TABLE kpi_binding_revision DISABLE TRIGGER append_only;
        UPDATE kpi_binding_revision SET first_slot_after = '2020-01-01', effective_from = '2020-01-01' WHERE binding_id = @binding;
        ALTER TABLE kpi_binding_revision ENABLE TRIGGER append_only;
        """;

    private static Task DueAsync(LeaseWorld world, long binding, string at) => world.ExecuteAsync(
        $"{RevisionBefore} UPDATE kpi_job_runtime SET next_run_at = {at} WHERE binding_id = @binding; SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });

    // A daily slot that came due two hours ago, whatever the time of day is.
    private static (string Cron, string At) TwoHoursAgo
    {
        get
        {
            var slot = TimeProvider.System.GetUtcNow().AddHours(-2);
            return (string.Create(CultureInfo.InvariantCulture, $"{slot.Minute} {slot.Hour} * * *"), $"'{slot:yyyy-MM-dd'T'HH:mm}:00Z'::timestamptz");
        }
    }

    private static async Task<ExplainOccurrenceResponse> RunNowAsync(LeaseWorld world, long binding, string name = "agent-eu")
    {
        await using var agent = await world.AgentAsync(name);
        using var alive = new PeriodicHeartbeat(agent);
        var lease = await agent.LeaseAsync();
        var report = TestAgent.Success(lease);
        report.StartedAt = TimeProvider.System.GetUtcNow().ToTimestamp();
        report.FinishedAt = report.StartedAt;
        await agent.FinishAsync(report);
        return await ByKeyAsync(world, binding, lease.SlotKey);
    }

    private static Task<string> DateOfAsync(LeaseWorld world, long binding) => world.OneAsync<string>("SELECT occ_business_date::text FROM kpi_job_runtime WHERE binding_id = @binding", new { binding });

    private static Task ReasonAsync(LeaseWorld world, long binding, WaitingFor reason) =>
        world.UntilAsync("SELECT occ_state = 'R' AND occ_reason = @reason FROM kpi_job_runtime WHERE binding_id = @binding", new { binding, reason = (short)reason });

    private static async Task<ExplainOccurrenceResponse> ByKeyAsync(LeaseWorld world, long binding, string slot) =>
        await world.Node.Jobs().ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = binding, SlotKey = slot }, cancellationToken: Token);

    private static async Task<ExplainOccurrenceResponse> AtAsync(LeaseWorld world, long binding, DateTimeOffset at) =>
        await world.Node.Jobs().ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = binding, At = at.ToTimestamp() }, cancellationToken: Token);

    private static void InOrder(ExplainOccurrenceResponse told)
    {
        Assert.Equal(told.Facts.Select(fact => fact.At.ToDateTimeOffset()).Order(), told.Facts.Select(fact => fact.At.ToDateTimeOffset()));
        Assert.All(told.Facts, fact => Assert.Matches(@"\.$", fact.Text));
        Assert.All(told.Facts, fact => Assert.Matches("^$|^(revision|run|pause|override|calendar|contract|signal|refresh|attempt)/", fact.Reference));
    }
}
