using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Changes;

/// <summary>In a freeze, and outside of the windows, nothing is released by any door; what is an operation goes on.</summary>
public sealed class ReleaseGateTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private TenantService.TenantServiceClient Admin => new(fixture.Host.Channel(Person("admin", "admin")));

    private ChangeService.ChangeServiceClient Author => Changes("author", "author");

    private ChangeService.ChangeServiceClient Publisher => Changes("publisher", "publisher");

    [Fact]
    public async Task An_approved_change_waits_for_the_end_of_a_freeze_and_says_which_and_until_when()
    {
        await ThawAsync("prod");
        var bound = await ReleasedAsync("frozen");
        var until = await FreezeAsync("prod", "year end");

        var change = await ApprovedAsync("frozen", "0 6 * * *");

        // It can be agreed to meanwhile, and shows what it waits for.
        Assert.Equal(("approved", until), (change.State, change.ReleasableFrom.ToDateTimeOffset()));
        Assert.Contains("year end", change.HeldBy, StringComparison.Ordinal);
        var refused = await Refusals.OfAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token));
        Assert.Equal((StatusCode.FailedPrecondition, "FREEZE"), (refused.StatusCode, refused.Info().Reason));
        Assert.Contains($"until {until.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z (year end)", refused.Status.Detail, StringComparison.Ordinal);
        Assert.Contains($"from {until.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z on", refused.Status.Detail, StringComparison.Ordinal);
        Assert.Equal("FREEZE", await ReasonAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId, ValidateOnly = true }, cancellationToken: Token)));
        // A rollback is a release like every other.
        var back = await ApprovedAsync(await Publisher.RollBackJobAsync(new RollBackJobRequest { BindingId = bound }, cancellationToken: Token));
        Assert.Equal("FREEZE", await ReasonAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = back.ChangeId }, cancellationToken: Token)));

        // Another policy is another thing to agree to.
        await ThawAsync("prod");
        var stale = await GetAsync(back.ChangeId);
        Assert.Equal(("stale", ""), (stale.State, stale.HeldBy));
        var again = await ApprovedAsync("frozen", "0 6 * * *");
        Assert.Equal("applied", (await Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = again.ChangeId }, cancellationToken: Token)).State);
    }

    [Fact]
    public async Task Outside_of_the_windows_a_change_waits_for_the_next()
    {
        await ThawAsync("prod");
        await ReleasedAsync("windowed");
        // The day after tomorrow, wherever the day ends meanwhile.
        var day = TimeProvider.System.GetUtcNow().UtcDateTime.Date.AddDays(2);
        await WindowAsync("prod", new ReleaseWindow { Days = { Day(day) }, From = "09:00", To = "16:00", Timezone = "UTC" });
        var change = await ApprovedAsync("windowed", "0 7 * * *");
        Assert.Equal(day.AddHours(9), change.ReleasableFrom.ToDateTime());
        Assert.Equal("CHANGE_WINDOW", await ReasonAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token)));

        await WindowAsync("prod", new ReleaseWindow { From = "00:00", To = "24:00", Timezone = "Europe/Berlin" });
        Assert.Equal("stale", (await GetAsync(change.ChangeId)).State);
        change = await ApprovedAsync("windowed", "0 7 * * *");
        Assert.Null(change.ReleasableFrom);
        Assert.Equal("applied", (await Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token)).State);
    }

    [Fact]
    public async Task Without_approvals_a_freeze_holds_back_every_door_and_no_operation()
    {
        await ThawAsync("dev");
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var bound = (await fixture.Host.Jobs().CreateJobAsync(new CreateJobRequest { Content = Job("direct") }, cancellationToken: Token)).BindingId;
        var again = new UpdateJobRequest { BindingId = bound, Content = Job("direct", "0 6 * * *") };
        var waits = await Author.ProposeChangeAsync(new ProposeChangeRequest { Content = Job("direct", "0 8 * * *") }, cancellationToken: Token);
        var until = await FreezeAsync("dev", "the auditors are in");
        var jobs = fixture.Host.Jobs();

        Assert.Equal("FREEZE", await ReasonAsync(jobs.CreateJobAsync(new CreateJobRequest { Content = Job("late") }, cancellationToken: Token)));
        Assert.Equal("FREEZE", await ReasonAsync(jobs.UpdateJobAsync(again, cancellationToken: Token)));
        Assert.Equal("FREEZE", await ReasonAsync(jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound, ScheduleCron = "1 1 * * *" }, cancellationToken: Token)));
        Assert.Equal("stale", (await GetAsync(waits.ChangeId)).State);
        var change = await Author.ProposeChangeAsync(new ProposeChangeRequest { Content = Job("direct", "0 9 * * *") }, cancellationToken: Token);
        Assert.Equal("FREEZE", await ReasonAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token)));
        PlanArtifact[] set = [new() { Content = Job("direct", "0 6 * * *") }];
        var plan = await Publisher.PlanJobsAsync(new PlanJobsRequest { Artifacts = { set } }, cancellationToken: Token);
        Assert.Equal(until, plan.ReleasableFrom.ToDateTimeOffset());
        Assert.Contains("the auditors are in", plan.HeldBy, StringComparison.Ordinal);
        Assert.Equal("FREEZE", await ReasonAsync(Publisher.ApplyPlanAsync(new ApplyPlanRequest { Artifacts = { set }, PlanDigest = plan.Digest }, cancellationToken: Token)));
        Assert.Equal("*/15 * * * *", (await jobs.GetJobAsync(new GetJobRequest { BindingId = bound }, cancellationToken: Token)).ScheduleCron);

        // What is there already is no release, and a pause is an operation; another environment is not frozen.
        Assert.False((await jobs.CreateJobAsync(new CreateJobRequest { Content = Job("direct") }, cancellationToken: Token)).Created);
        await jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound, PausedUntil = "infinity" }, cancellationToken: Token);
        await jobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound, PausedUntil = "" }, cancellationToken: Token);
        Assert.True((await jobs.CreateJobAsync(new CreateJobRequest { Content = Job("elsewhere"), Environment = "stg" }, cancellationToken: Token)).Created);

        await ThawAsync("dev");
        Assert.True((await jobs.UpdateJobAsync(again, cancellationToken: Token)).Rebound);
    }

    [Fact]
    public async Task A_policy_keeps_windows_and_freezes_that_are_not_named_and_says_what_is_wrong_with_one()
    {
        var put = await WindowAsync("stg", new ReleaseWindow { Days = { "fri", "mon" }, From = "22:00", To = "04:00", Timezone = "Europe/Berlin" });
        Assert.Equal(["mon", "fri"], Assert.Single(put.ReleaseWindows).Days);
        var kept = await Admin.PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = "stg", RequiresSla = false }, cancellationToken: Token);
        Assert.Equal((put.Version + 1, put.ReleaseWindows), (kept.Version, kept.ReleaseWindows));
        Assert.Equal(kept.Version, (await Admin.PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = "stg", ReleaseWindows = new() { Windows = { put.ReleaseWindows } } }, cancellationToken: Token)).Version);
        var before = await fixture.ScalarAsync<string>("SELECT after -> 'release_windows' -> 0 ->> 'timezone' FROM kpi_audit WHERE object_kind = 'policy' AND object_id = 'stg' ORDER BY audit_id DESC LIMIT 1", new { });
        Assert.Equal("Europe/Berlin", before);
        Assert.Empty((await Admin.PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = "stg", ReleaseWindows = new() }, cancellationToken: Token)).ReleaseWindows);

        async Task<string> FieldAsync(PutPolicyRequest request)
        {
            (request.Tenant, request.Environment) = ("acme", "stg");
            return Assert.Single((await Refusals.OfAsync(Admin.PutPolicyAsync(request, cancellationToken: Token))).Violations()).Field;
        }
        var now = TimeProvider.System.GetUtcNow().ToTimestamp();
        Assert.Equal("release_windows.windows[0].timezone", await FieldAsync(new() { ReleaseWindows = new() { Windows = { new ReleaseWindow { From = "09:00", To = "16:00", Timezone = "Berlin" } } } }));
        Assert.Equal("freezes.freezes[0].until", await FieldAsync(new() { Freezes = new() { Freezes_ = { new Freeze { From = now, Until = now, Reason = "x" } } } }));
        Assert.Equal("freezes.freezes[0].until", await FieldAsync(new() { Freezes = new() { Freezes_ = { new Freeze { Until = now, Reason = "it has ended" } } } }));
        Assert.Equal("freezes.freezes[0].reason", await FieldAsync(new() { Freezes = new() { Freezes_ = { new Freeze { From = now, Until = now + Duration.FromTimeSpan(TimeSpan.FromDays(1)) } } } }));
        Assert.Equal("freezes", await FieldAsync(new() { Freezes = new() { Freezes_ = { Enumerable.Range(0, 51).Select(_ => new Freeze()) } } }));
        // Another tenant's administrator finds no policy here.
        var stranger = new TenantService.TenantServiceClient(fixture.Host.Channel(fixture.Issuer.PersonToken("admin", "globex/*/admin")));
        Assert.Equal("NOT_FOUND", await ReasonAsync(stranger.PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = "stg", Freezes = new() }, cancellationToken: Token)));
    }

    [Fact]
    public async Task A_freeze_begins_by_the_databases_clock_where_nothing_is_said_and_leaves_with_its_end()
    {
        var earlier = await fixture.ScalarAsync<DateTime>("SELECT clock_timestamp()");
        var ended = new Freeze { From = earlier.AddHours(-2).ToTimestamp(), Until = earlier.AddSeconds(-1).ToTimestamp(), Reason = "over" };
        var put = await Admin.PutPolicyAsync(new PutPolicyRequest
        {
            Tenant = "acme", Environment = "stg", Freezes = new() { Freezes_ = { ended, new Freeze { Until = earlier.AddDays(1).ToTimestamp(), Reason = "from now on" } } },
        }, cancellationToken: Token);

        var stands = Assert.Single(put.Freezes);
        Assert.Equal("from now on", stands.Reason);
        Assert.InRange(stands.From.ToDateTime(), earlier, await fixture.ScalarAsync<DateTime>("SELECT clock_timestamp()"));
        await ThawAsync("stg");
    }

    [Fact]
    public async Task A_freeze_holds_back_what_a_calendar_moves_and_what_a_set_takes_away()
    {
        await ThawAsync("dev");
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        await fixture.Host.Catalog().PutCalendarAsync(new PutCalendarRequest { Tenant = "acme", Format = "yaml", Content = "calendar: frozen" }, cancellationToken: Token);
        PlanArtifact[] both = [new() { Content = Job("stays", "0 3 * * *").Replace("timezone: UTC", "timezone: UTC, calendar: frozen", StringComparison.Ordinal) }, new() { Content = Job("goes") }];
        var first = await Publisher.PlanJobsAsync(new PlanJobsRequest { Artifacts = { both }, Source = "gate" }, cancellationToken: Token);
        Assert.DoesNotContain(first.Jobs.SelectMany(job => job.Findings), finding => finding.Severity == "error");
        await Publisher.ApplyPlanAsync(new ApplyPlanRequest { Artifacts = { both }, Source = "gate", PlanDigest = first.Digest }, cancellationToken: Token);
        await FreezeAsync("dev", "the auditors are in");

        var moved = new PutCalendarRequest { Tenant = "acme", Format = "yaml", Content = "calendar: frozen\nweekend: [sunday]" };
        Assert.Equal("FREEZE", await ReasonAsync(fixture.Host.Catalog().PutCalendarAsync(moved, cancellationToken: Token)));
        var less = await Publisher.PlanJobsAsync(new PlanJobsRequest { Artifacts = { both[0] }, Source = "gate", Prune = "remove" }, cancellationToken: Token);
        Assert.Equal("FREEZE", await ReasonAsync(Publisher.ApplyPlanAsync(new ApplyPlanRequest { Artifacts = { both[0] }, Source = "gate", Prune = "remove", PlanDigest = less.Digest }, cancellationToken: Token)));
        // A version that moves nothing is no release.
        Assert.Equal(2, (await fixture.Host.Catalog().PutCalendarAsync(new PutCalendarRequest { Tenant = "acme", Format = "yaml", Content = "calendar: frozen\ndescription: of the auditors" }, cancellationToken: Token)).Version);
        await ThawAsync("dev");
    }

    private static string Day(DateTime date) => date.DayOfWeek.ToString()[..3].ToLowerInvariant();

    private static string Job(string jobId, string cron = "*/15 * * * *") => SampleTexts.Simple(jobId, cron, """
        sla: { freshness: 48h }
        alerts: [ { channel: "email:a@b.example", severity: low } ]
        """);

    private string Person(string name, string role) => fixture.Issuer.PersonToken(name, $"acme/*/{role}");

    private ChangeService.ChangeServiceClient Changes(string name, string role) => new(fixture.Host.Channel(Person(name, role)));

    private Task<TenantPolicy> WindowAsync(string environment, ReleaseWindow window) =>
        Admin.PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = environment, ReleaseWindows = new() { Windows = { window } } }, cancellationToken: Token).ResponseAsync;

    private async Task<DateTimeOffset> FreezeAsync(string environment, string reason)
    {
        var now = TimeProvider.System.GetUtcNow();
        var freeze = new Freeze { From = (now - TimeSpan.FromHours(1)).ToTimestamp(), Until = DateTimeOffset.FromUnixTimeSeconds(now.ToUnixTimeSeconds() + 86_400).ToTimestamp(), Reason = reason };
        await Admin.PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = environment, Freezes = new() { Freezes_ = { freeze } } }, cancellationToken: Token);
        return freeze.Until.ToDateTimeOffset();
    }

    private async Task ThawAsync(string environment) =>
        await Admin.PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = environment, Freezes = new(), ReleaseWindows = new() }, cancellationToken: Token);

    private async Task<long> ReleasedAsync(string jobId)
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var first = await ApprovedAsync(jobId, "0 5 * * *");
        await Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = first.ChangeId }, cancellationToken: Token);
        var second = await ApprovedAsync(jobId, "*/15 * * * *");
        await Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = second.ChangeId }, cancellationToken: Token);
        return second.BindingId;
    }

    private async Task<Change> ApprovedAsync(string jobId, string cron) =>
        await ApprovedAsync(await Author.ProposeChangeAsync(new ProposeChangeRequest { Environment = "prod", Content = Job(jobId, cron) }, cancellationToken: Token));

    private async Task<Change> ApprovedAsync(Change change)
    {
        foreach (var capacity in new[] { "business", "technical" })
            await Changes(capacity, $"approver_{capacity}").ApproveChangeAsync(new DecideChangeRequest { ChangeId = change.ChangeId, Digest = change.Digest }, cancellationToken: Token);
        return await GetAsync(change.ChangeId);
    }

    private Task<Change> GetAsync(long id) => Author.GetChangeAsync(new GetChangeRequest { ChangeId = id }, cancellationToken: Token).ResponseAsync;

    private static async Task<string> ReasonAsync<T>(AsyncUnaryCall<T> call) => (await Refusals.OfAsync(call)).Info().Reason;
}
