using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Catalog;

/// <summary>Calendars are stored by version, and what uses one moves with it.</summary>
public sealed class CalendarTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private CatalogService.CatalogServiceClient Catalog => fixture.Host.Catalog();

    private JobService.JobServiceClient Jobs => fixture.Host.Jobs();

    [Fact]
    public async Task The_same_content_is_the_same_version_and_any_other_is_the_next()
    {
        var first = await PutAsync("calendar: plain\nholidays: [{ every: 01-01, name: New Year }]");
        var again = await PutAsync("# the same\nholidays:\n  - { name: New Year, every: 01-01 }\ncalendar: plain\n");
        var other = await PutAsync("calendar: plain");
        var back = await PutAsync("calendar: plain\nholidays: [{ every: 01-01, name: New Year }]");

        Assert.Equal([(1, true), (1, false), (2, true), (3, true)], new[] { first, again, other, back }.Select(c => (c.Version, c.Created)));
        Assert.Equal(first.Digest, back.Digest);
        Assert.Equal(first.Content, (await Catalog.GetCalendarAsync(new GetCalendarRequest { Tenant = "acme", Name = "plain", Version = 1 }, cancellationToken: Token)).Content);
        Assert.Equal(3, (await Catalog.GetCalendarAsync(new GetCalendarRequest { Tenant = "acme", Name = "plain" }, cancellationToken: Token)).Version);
        var history = await Catalog.ListCalendarsAsync(new ListCalendarsRequest { Tenant = "acme", Name = "plain", PageSize = 2 }, cancellationToken: Token);
        Assert.Equal([1, 2], history.Calendars.Select(c => c.Version));
        Assert.Equal([3], (await Catalog.ListCalendarsAsync(new ListCalendarsRequest { Tenant = "acme", Name = "plain", PageSize = 2, PageToken = history.NextPageToken }, cancellationToken: Token)).Calendars.Select(c => c.Version));
        Assert.Equal(3, Assert.Single((await Catalog.ListCalendarsAsync(new ListCalendarsRequest { Tenant = "acme" }, cancellationToken: Token)).Calendars, c => c.Name == "plain").Version);
        Assert.Equal(["1", "2", "3"], await fixture.ListAsync("SELECT after ->> 'version' FROM kpi_audit WHERE object_kind = 'calendar' AND object_id = 'plain' ORDER BY audit_id"));
        Assert.Equal("42501", (await Assert.ThrowsAsync<Npgsql.PostgresException>(() => fixture.RunAsync("UPDATE kpi_calendar SET content = 'x'"))).SqlState);
    }

    [Fact]
    public async Task A_rehearsal_tells_which_fire_times_move_and_the_real_one_moves_them()
    {
        // Today's slot is over on every day and at every hour, so that the Monday is among the five that follow.
        var day = MondayAfter(DateOnly.FromDateTime(ByTheClock.LastSlot));
        Timestamp At(DateOnly on) => CalendarTests.At(on, TimeOnly.FromDateTime(ByTheClock.LastSlot));
        await PutAsync("calendar: moving");
        var job = await CreateAsync("moving_job", ByTheClock.Daily, "moving");
        var untouched = await CreateAsync("moving_sunday", ByTheClock.Daily[..^1] + "MON", "moving", more: "catchup: none");
        var before = await fixture.FootprintAsync();
        var next = $"calendar: moving\nholidays: [{{ date: {day:yyyy-MM-dd}, name: Founders' Day }}]\nworking_days: [{{ date: {day.AddDays(5):yyyy-MM-dd}, name: Stocktaking }}]";

        var rehearsed = await PutAsync(next, validateOnly: true);

        Assert.Equal(before, await fixture.FootprintAsync());
        Assert.Equal((2, true, 2), (rehearsed.Version, rehearsed.Created, rehearsed.Moves.Count));
        var move = rehearsed.Moves.Single(m => m.JobId == "moving_job");
        Assert.Equal((job, "dev", 1, 1, 1), (move.BindingId, move.Environment, move.FromVersion, move.RemovedCount, move.AddedCount));
        Assert.Equal([At(day)], move.Removed);
        Assert.Equal([At(day.AddDays(5))], move.Added);
        Assert.Contains(At(day), move.Before.Select(fire => fire.At));
        Assert.DoesNotContain(At(day), move.After.Select(fire => fire.At));
        Assert.Equal((0, 1), (rehearsed.Moves.Single(m => m.BindingId == untouched).AddedCount, rehearsed.Moves.Single(m => m.BindingId == untouched).RemovedCount));

        var real = await PutAsync(next);
        Assert.Equal(rehearsed.Moves.Select(m => (m.BindingId, m.RemovedCount, m.AddedCount)), real.Moves.Select(m => (m.BindingId, m.RemovedCount, m.AddedCount)));
        Assert.Equal(2, real.Bindings);
        var moved = await Jobs.GetJobAsync(new GetJobRequest { BindingId = job }, cancellationToken: Token);
        Assert.Equal(("moving", 2, "r2"), (moved.Calendar, moved.CalendarVersion, moved.Etag));
        Assert.Equal(["1 1", "2 2"], await fixture.ListAsync("SELECT concat_ws(' ', revision, calendar_version) FROM kpi_binding_revision WHERE binding_id = @job ORDER BY revision", new { job }));
        Assert.Equal("calendar moving version 2", await fixture.ScalarAsync<string>("SELECT reason FROM kpi_audit WHERE object_kind = 'binding' AND object_id = @id ORDER BY audit_id DESC LIMIT 1", new { id = $"{job}" }));
        var preview = await Jobs.PreviewScheduleAsync(new PreviewScheduleRequest { BindingId = job, After = Timestamp.FromDateTimeOffset(At(day).ToDateTimeOffset().AddDays(-1)), Count = 5 }, cancellationToken: Token);
        Assert.Equal(("moving", 2), (preview.Calendar, preview.CalendarVersion));
        Assert.Equal(Enumerable.Range(1, 5).Select(d => At(day.AddDays(d))), preview.FireTimes.Select(fire => fire.At));
        Assert.Equal((At(day), "holiday", "Founders' Day"), Assert.Single(preview.Skipped) is var skip ? (skip.At, skip.Reason, skip.Name) : default);
    }

    [Fact]
    public async Task What_names_a_calendar_needs_it_to_exist_and_to_leave_slots()
    {
        await PutAsync("calendar: known\nfiscal: { pattern: month, close: -2 }");
        await PutAsync("calendar: bare");
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var unknown = await Refusals.OfAsync(Create("lost", "0 9 * * *", "knwon"));
        var never = await Refusals.OfAsync(Create("never", "0 9 * * SUN", "known"));
        var noFiscal = await Refusals.OfAsync(Create("fiscal", "@business_day 3 after fiscal_period at 09:00", "bare"));

        Assert.Equal(("/schedule/calendar", "meaning.calendar"), Assert.Single(unknown.Violations()) is var violation ? (violation.Field, violation.Reason) : default);
        Assert.Contains("Did you mean known?", unknown.Violations()[0].Description, StringComparison.Ordinal);
        Assert.StartsWith("line 5, column ", unknown.Violations()[0].Description, StringComparison.Ordinal);
        Assert.Contains("never comes round", Assert.Single(never.Violations()).Description, StringComparison.Ordinal);
        Assert.Contains("has none (fiscal)", Assert.Single(noFiscal.Violations()).Description, StringComparison.Ordinal);

        await CreateAsync("closing", "@business_day 3 after fiscal_period at 09:00", "known");
        var inUse = await Refusals.OfAsync(Put("calendar: known"));
        Assert.Equal((StatusCode.FailedPrecondition, "CALENDAR_IN_USE"), (inUse.StatusCode, inUse.Info().Reason));
    }

    [Fact]
    public async Task Whoever_may_not_publish_where_a_job_uses_it_cannot_move_the_job()
    {
        await PutAsync("calendar: guarded");
        await CreateAsync("guarded_job", "0 9 * * *", "guarded", "stg");
        var inDevAlone = fixture.Host.Catalog(fixture.Issuer.PersonToken("dev-publisher", "acme/dev/publisher"));

        var refused = await Refusals.OfAsync(inDevAlone.PutCalendarAsync(new PutCalendarRequest { Tenant = "acme", Content = "calendar: guarded\nweekend: [sunday]" }, cancellationToken: Token));

        Assert.Contains(refused.StatusCode, new[] { StatusCode.PermissionDenied, StatusCode.NotFound });
        Assert.Equal(1, (await Catalog.GetCalendarAsync(new GetCalendarRequest { Tenant = "acme", Name = "guarded" }, cancellationToken: Token)).Version);
        Assert.Equal(1, (await inDevAlone.PutCalendarAsync(new PutCalendarRequest { Tenant = "acme", Content = "calendar: nobodys" }, cancellationToken: Token)).Version);
    }

    [Fact]
    public async Task All_that_is_wrong_is_said_at_once_and_a_repetition_answers_the_same()
    {
        var bad = await Refusals.OfAsync(Put("calendar: bad\nholidays: [{ date: 2026-13-01, name: A }, { easter: 1 }]"));
        Assert.Equal(["calendar.date /holidays/0/date", "calendar.required /holidays/1/name"], bad.Violations().Select(v => $"{v.Reason} {v.Field}").Order(StringComparer.Ordinal));
        Assert.All(bad.Violations(), v => Assert.StartsWith("line 2, column ", v.Description, StringComparison.Ordinal));

        var request = new PutCalendarRequest { Tenant = "acme", Content = "calendar: repeated", RequestId = Guid.CreateVersion7().ToString() };
        var first = await Catalog.PutCalendarAsync(request, cancellationToken: Token);
        Assert.Equal(first, await Catalog.PutCalendarAsync(request, cancellationToken: Token));
        Assert.True(first.Created);
    }

    [Fact]
    public async Task Whoever_races_every_job_ends_at_the_latest_version()
    {
        await PutAsync("calendar: raced");
        var jobs = new List<long>();
        for (var i = 0; i < 4; i++) jobs.Add(await CreateAsync($"raced_{i}", "0 9 * * *", "raced"));

        await Task.WhenAll(Enumerable.Range(0, 16).Select(i => UntilDoneAsync(async () =>
        {
            if (i % 3 == 0) await PutAsync($"calendar: raced\nholidays: [{{ every: 02-{i + 1:00}, name: H }}]");
            else if (i % 3 == 1) await CreateAsync($"raced_new_{i}", "0 9 * * *", "raced");
            else await Jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = jobs[i % 4], Content = Job($"raced_{i % 4}", $"{i} 9 * * *", "raced", "") }, cancellationToken: Token);
        })));

        Assert.Equal(0, await fixture.ScalarAsync<long>("SELECT count(*) FROM kpi_job_binding WHERE calendar = 'raced' AND calendar_version <> (SELECT max(version) FROM kpi_calendar WHERE name = 'raced')"));
        Assert.Equal(0, await fixture.ScalarAsync<long>("SELECT count(*) FROM kpi_job_binding b JOIN kpi_binding_revision r USING (binding_id, revision) WHERE b.calendar = 'raced' AND b.calendar_version <> r.calendar_version"));
        Assert.Equal(7, await fixture.ScalarAsync<int>("SELECT max(version) FROM kpi_calendar WHERE name = 'raced'"));
    }

    [Fact]
    public async Task An_explanation_names_the_day_and_the_version()
    {
        // Far enough that nothing of it is due while the test runs.
        var monday = MondayAfter(DateOnly.FromDateTime(ByTheClock.LastSlot).AddDays(1));
        await PutAsync($"calendar: told\nholidays: [{{ date: {monday:yyyy-MM-dd}, name: Founders' Day }}]\nblackouts: [{{ from: {monday.AddDays(1):yyyy-MM-dd}T08:00, to: {monday.AddDays(1):yyyy-MM-dd}T10:00, reason: ERP upgrade }}]");
        var job = await CreateAsync("told_job", "0 9 * * *", "told");

        Assert.Equal("It will not run. Not a business day (holiday: Founders' Day), calendar told version 1.", await ExplainAsync(job, monday));
        Assert.Equal("It will not run. In a blackout (ERP upgrade), calendar told version 1.", await ExplainAsync(job, monday.AddDays(1)));
        Assert.Equal("The schedule that was in force has no slot at that instant. Not a business day (Sunday), calendar told version 1.", await ExplainAsync(job, monday.AddDays(-1)));
        Assert.StartsWith("It is not due yet", await ExplainAsync(job, monday.AddDays(2)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_asked_of_an_expression_that_is_not_stored_may_name_a_calendar()
    {
        await PutAsync("calendar: asked\nholidays: [{ date: 2026-05-01, name: Labour Day }]");
        var preview = await Jobs.PreviewScheduleAsync(new PreviewScheduleRequest
        {
            Tenant = "acme", Expression = "@business_day 1 of month at 06:00", Timezone = "Europe/Berlin", Calendar = "asked", After = Timestamp.FromDateTimeOffset(new DateTimeOffset(2026, 4, 2, 0, 0, 0, TimeSpan.Zero)), Count = 2,
        }, cancellationToken: Token);
        Assert.Equal(["2026-05-04T06:00:00+02:00", "2026-06-01T06:00:00+02:00"], preview.FireTimes.Select(fire => fire.Local));
        Assert.Equal(StatusCode.NotFound, (await Refusals.OfAsync(Jobs.PreviewScheduleAsync(new PreviewScheduleRequest { Tenant = "acme", Expression = "0 9 * * *", Calendar = "nowhere" }, cancellationToken: Token))).StatusCode);
    }

    // Of two that met, one is told to try again.
    private static async Task UntilDoneAsync(Func<Task> attempt)
    {
        for (var left = 50; ; left--)
            try
            {
                await attempt();
                return;
            }
            catch (RpcException raced) when (raced.StatusCode == StatusCode.Aborted && left > 0)
            {
            }
    }

    private async Task<string> ExplainAsync(long job, DateOnly day) =>
        (await Jobs.ExplainOccurrenceAsync(new ExplainOccurrenceRequest { BindingId = job, At = At(day) }, cancellationToken: Token)).Answer;

    private async Task<Calendar> PutAsync(string content, bool validateOnly = false) => await Put(content, validateOnly);

    private AsyncUnaryCall<Calendar> Put(string content, bool validateOnly = false) =>
        Catalog.PutCalendarAsync(new PutCalendarRequest { Tenant = "acme", Content = content, ValidateOnly = validateOnly }, cancellationToken: Token);

    private async Task<long> CreateAsync(string jobId, string cron, string calendar, string environment = "dev", string more = "")
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        return (await Create(jobId, cron, calendar, environment, more)).BindingId;
    }

    private AsyncUnaryCall<CreateJobResponse> Create(string jobId, string cron, string calendar, string environment = "dev", string more = "") =>
        Jobs.CreateJobAsync(new CreateJobRequest { Content = Job(jobId, cron, calendar, more), Environment = environment }, cancellationToken: Token);

    private static string Job(string jobId, string cron, string calendar, string more) => SampleTexts.Simple(jobId, cron, """
        sla: { freshness: 960h }
        alerts: [ { channel: "email:a@b.example", severity: low } ]
        """).Replace("timezone: UTC", $"timezone: UTC, calendar: {calendar}{(more.Length > 0 ? ", " + more : "")}", StringComparison.Ordinal);

    private static DateOnly MondayAfter(DateOnly day)
    {
        do
            day = day.AddDays(1);
        while (day.DayOfWeek != DayOfWeek.Monday);
        return day;
    }

    private static Timestamp At(DateOnly day) => At(day, new TimeOnly(9, 0));

    private static Timestamp At(DateOnly day, TimeOnly time) => Timestamp.FromDateTime(day.ToDateTime(time, DateTimeKind.Utc));
}
