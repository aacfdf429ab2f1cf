using Dapper;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Catalog;

/// <summary>What is due, what was taken and what comes, where a calendar moves or a schedule on one is edited.</summary>
public sealed class CalendarEditTests(ControlFixture fixture) : IClassFixture<ControlFixture>, IAsyncLifetime
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private JobService.JobServiceClient Jobs => fixture.Host.Jobs();

    public async ValueTask InitializeAsync() => await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task An_expression_that_never_comes_round_on_the_jobs_calendar_is_refused()
    {
        await PutAsync("calendar: weekdays");
        var job = await CreateAsync("edited", "0 9 * * *", "weekdays");
        var before = await fixture.FootprintAsync();

        var refused = await Refusals.OfAsync(Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = job, ScheduleCron = "0 9 * * SUN" }, cancellationToken: Token));

        Assert.Equal((StatusCode.InvalidArgument, "schedule_cron"), (refused.StatusCode, Assert.Single(refused.Violations()).Field));
        Assert.Contains("never comes round", refused.Violations()[0].Description, StringComparison.Ordinal);
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task Whoever_runs_again_does_so_on_the_latest_version()
    {
        await PutAsync("calendar: asleep");
        var job = await CreateAsync("sleeper", "0 9 * * *", "asleep");
        await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = job, ActiveFlag = false }, cancellationToken: Token);
        Assert.Equal(0, (await PutAsync("calendar: asleep\nweekend: [sunday]")).Bindings);

        var woken = await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = job, ActiveFlag = true }, cancellationToken: Token);

        Assert.Equal(2, woken.Job.CalendarVersion);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(0, false)]
    public async Task What_is_due_stays_due_where_both_versions_say_the_same_of_it(int monthsAhead, bool stays)
    {
        var name = $"due_{monthsAhead}";
        await PutAsync($"calendar: {name}");
        var job = await CreateAsync($"due_job_{monthsAhead}", "@business_day 1 of month at 00:00", name);
        // Paused, so that nobody takes it: the first business day of the last month is due.
        await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = job, PausedUntil = "infinity" }, cancellationToken: Token);
        var today = DateOnly.FromDateTime(await fixture.ScalarAsync<DateTime>("SELECT now()"));
        var due = FirstBusinessDay(today.AddMonths(-1));
        await fixture.RunAsync("UPDATE kpi_job_runtime SET next_run_at = @at WHERE binding_id = @job", new { job, at = due.ToDateTime(default, DateTimeKind.Utc) });

        // A version that takes the first business day away: of that month, or of one that is still to come.
        var away = monthsAhead == 0 ? due : FirstBusinessDay(today.AddMonths(monthsAhead));
        await PutAsync($"calendar: {name}\nholidays: [{{ date: {away:yyyy-MM-dd}, name: Away }}]");

        var next = await fixture.ScalarAsync<DateTime>("SELECT next_run_at FROM kpi_job_runtime WHERE binding_id = @job", new { job });
        Assert.Equal(stays, next == due.ToDateTime(default, DateTimeKind.Utc));
        Assert.Equal(stays ? 0 : 1, await fixture.ScalarAsync<int>("SELECT count(*)::int FROM kpi_job_history WHERE binding_id = @job AND status = 'skipped'", new { job }));
    }

    [Fact]
    public async Task A_slot_that_was_taken_while_an_edit_waited_is_not_the_new_schedules_too()
    {
        var job = await CreateAsync("waited", "0 0 1 1 *", calendar: null);
        await using var scheduler = await fixture.Database.OpenAsync();
        await using var taking = await scheduler.BeginTransactionAsync(Token);
        await scheduler.ExecuteAsync("SELECT FROM kpi_job_runtime WHERE binding_id = @job FOR UPDATE", new { job });

        var edit = Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = job, ScheduleCron = "0 0 2 1 *" }, cancellationToken: Token);
        await fixture.UntilSomebodyWaitsAsync();
        var taken = await scheduler.QuerySingleAsync<DateTime>("SELECT clock_timestamp()");
        await taking.CommitAsync(Token);
        await edit;

        Assert.True(await fixture.ScalarAsync<DateTime>("SELECT max(first_slot_after) FROM kpi_binding_revision WHERE binding_id = @job", new { job }) >= taken);
    }

    private static DateOnly FirstBusinessDay(DateOnly month)
    {
        var day = new DateOnly(month.Year, month.Month, 1);
        while (day.DayOfWeek is DayOfWeek.Saturday or DayOfWeek.Sunday)
            day = day.AddDays(1);
        return day;
    }

    private async Task<Calendar> PutAsync(string content) =>
        await fixture.Host.Catalog().PutCalendarAsync(new PutCalendarRequest { Tenant = "acme", Content = content }, cancellationToken: Token);

    private async Task<long> CreateAsync(string jobId, string cron, string? calendar)
    {
        var text = SampleTexts.Simple(jobId, cron);
        return (await Jobs.CreateJobAsync(new CreateJobRequest
        {
            Content = calendar is null ? text : text.Replace("timezone: UTC", $"timezone: UTC, calendar: {calendar}", StringComparison.Ordinal),
        }, cancellationToken: Token)).BindingId;
    }
}
