using System.Globalization;
using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Changes;

/// <summary>What is released is what was approved: by two people, neither of them the author, and exactly that.</summary>
public sealed class ChangeTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private JobService.JobServiceClient AuthorsJobs => fixture.Host.Jobs(Person("author", "author"));

    private ChangeService.ChangeServiceClient Author => Changes(Person("author", "author"));

    private ChangeService.ChangeServiceClient Business => Changes(Person("business", "approver_business"));

    private ChangeService.ChangeServiceClient Technical => Changes(Person("technical", "approver_technical"));

    private ChangeService.ChangeServiceClient Publisher => Changes(Person("publisher", "publisher"));

    [Fact]
    public async Task A_first_binding_waits_inactive_until_two_owners_agreed_and_somebody_applied_it()
    {
        var created = await PostAsync("first");

        Assert.True(created.Created);
        Assert.True(created.ChangeId > 0);
        var waiting = await fixture.Host.Jobs().GetJobAsync(new GetJobRequest { BindingId = created.BindingId }, cancellationToken: Token);
        Assert.False(waiting.ActiveFlag);
        Assert.Null(waiting.NextRunAt);
        Assert.Equal("INACTIVE", await ReasonAsync(fixture.Host.Jobs().TriggerJobAsync(new TriggerJobRequest { BindingId = created.BindingId }, cancellationToken: Token)));
        Assert.Equal((created.BindingId, created.ChangeId, false), await PostAsync("first") is var again ? (again.BindingId, again.ChangeId, again.Created) : default);

        var change = await GetAsync(created.ChangeId);
        Assert.Equal(("create", "open", "author", ""), (change.Kind, change.State, change.Author, change.BaseContentHash));
        Assert.Equal(["business business ", "technical technical "], change.Required.Select(r => $"{r.Capacity} {r.Principal} {r.GivenBy}"));
        Assert.Contains(change.Differences, d => d is { Path: "/schedule/expression", Before: "", After: "\"*/15 * * * *\"" });
        Assert.Equal("APPROVAL_MISSING", await ReasonAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = created.ChangeId }, cancellationToken: Token)));
        await ApproveAsync(Business, change);
        var half = await RefusedAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = created.ChangeId }, cancellationToken: Token));
        Assert.Contains("the technical owner technical", half.Status.Detail, StringComparison.Ordinal);
        Assert.Equal("approved", (await ApproveAsync(Technical, change)).State);

        var applied = await ApplyAsync(created.ChangeId);

        Assert.Equal(("applied", "r2", "publisher"), (applied.State, applied.AppliedEtag, applied.ClosedBy));
        var job = await fixture.Host.Jobs().GetJobAsync(new GetJobRequest { BindingId = created.BindingId }, cancellationToken: Token);
        Assert.True(job.ActiveFlag);
        Assert.NotNull(job.NextRunAt);
        Assert.Equal(0, (await PostAsync("first")).ChangeId);
        Assert.Equal(["author ChangeRequestSubmit", "business ChangeRequestApprove", "technical ChangeRequestApprove"], await fixture.ListAsync(
            "SELECT concat_ws(' ', actor, verb) FROM kpi_audit WHERE object_kind = 'change' AND object_id = @id ORDER BY audit_id", new { id = $"{created.ChangeId}" }));
        Assert.Equal($"publisher {created.ChangeId} [\"business: business\", \"technical: technical\"]", await fixture.ScalarAsync<string>(
            "SELECT concat_ws(' ', actor, after ->> 'change_id', after ->> 'approvals') FROM kpi_audit WHERE object_kind = 'binding' AND verb = 'Update' AND object_id = @id",
            new { id = $"{created.BindingId}" }));
    }

    [Fact]
    public async Task An_edit_leaves_what_is_bound_untouched_until_it_is_applied()
    {
        var bound = await ReleasedAsync("edited");

        var put = await AuthorsJobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound, Content = Job("edited", "0 6 * * *") }, cancellationToken: Token);

        Assert.False(put.Rebound);
        Assert.Equal("*/15 * * * *", put.Job.ScheduleCron);
        var change = await GetAsync(put.ChangeId);
        Assert.Equal([("/schedule/expression", "\"*/15 * * * *\"", "\"0 6 * * *\"")], change.Differences.Select(d => (d.Path, d.Before, d.After)));
        await ApproveAsync(Business, change);
        await ApproveAsync(Technical, change);
        await ApplyAsync(put.ChangeId);
        var job = await fixture.Host.Jobs().GetJobAsync(new GetJobRequest { BindingId = bound }, cancellationToken: Token);
        Assert.Equal(("0 6 * * *", change.ContentHash), (job.ScheduleCron, job.ContentHash));
        // Fields go the same way, and there is no door beside it.
        Assert.Equal("APPROVAL_REQUIRED", await ReasonAsync(fixture.Host.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = bound, ScheduleCron = "1 1 * * *" }, cancellationToken: Token)));
        Assert.Equal("APPROVAL_REQUIRED", await ReasonAsync(fixture.Host.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = bound, ActiveFlag = false }, cancellationToken: Token)));
    }

    [Fact]
    public async Task Neither_the_author_nor_a_stranger_nor_one_person_twice_can_agree()
    {
        var both = (await PostAsync("ours", "owners: { business: both, technical: both }")).ChangeId;
        var change = await GetAsync(both);
        // A first binding needs the contract's owners, and those that the job names beside them.
        Assert.Equal(["business both", "business business", "technical both", "technical technical"], change.Required.Select(r => $"{r.Capacity} {r.Principal}"));
        var twice = Changes(fixture.Issuer.PersonToken("both", "acme/*/approver_business", "acme/*/approver_technical"));
        await ApproveAsync(twice, change);
        Assert.Equal("SECOND_PERSON", await ReasonAsync(Approve(twice, change)));
        Assert.Equal("NOT_AN_OWNER", await ReasonAsync(Approve(Changes(Person("stranger", "approver_business")), change)));
        // A name alone is not the role.
        Assert.Equal("NOT_AN_OWNER", await ReasonAsync(Approve(Changes(Person("technical", "approver_business")), change)));

        var own = fixture.Issuer.PersonToken("business", "acme/*/author", "acme/*/approver_business");
        var proposed = await Changes(own).ProposeChangeAsync(Proposal("mine"), cancellationToken: Token);
        Assert.Equal("OWN_CHANGE", await ReasonAsync(Approve(Changes(own), proposed)));
        var refused = await RefusedAsync(Approve(Author, proposed));
        Assert.Equal(StatusCode.PermissionDenied, refused.StatusCode);
    }

    [Fact]
    public async Task An_approval_counts_for_nothing_but_what_it_was_given_for()
    {
        var bound = await ReleasedAsync("exact");
        var first = await Author.ProposeChangeAsync(Proposal("exact", "0 1 * * *"), cancellationToken: Token);
        Assert.Equal("DIGEST_MISMATCH", await ReasonAsync(Business.ApproveChangeAsync(new DecideChangeRequest { ChangeId = first.ChangeId }, cancellationToken: Token)));
        await ApproveAsync(Business, first);
        await ApproveAsync(Technical, first);

        // Other content is another change, without its approvals.
        var second = await Author.ProposeChangeAsync(Proposal("exact", "0 2 * * *"), cancellationToken: Token);
        Assert.Equal("superseded", (await GetAsync(first.ChangeId)).State);
        Assert.Equal($"{first.ChangeId}", await fixture.ScalarAsync<string>("SELECT after ->> 'supersedes' FROM kpi_audit WHERE object_kind = 'change' AND object_id = @id", new { id = $"{second.ChangeId}" }));
        Assert.Equal("CHANGE_CLOSED", await ReasonAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = first.ChangeId }, cancellationToken: Token)));
        Assert.Equal("DIGEST_MISMATCH", await ReasonAsync(Business.ApproveChangeAsync(new DecideChangeRequest { ChangeId = second.ChangeId, Digest = first.Digest }, cancellationToken: Token)));
        await ApproveAsync(Business, second);
        await ApproveAsync(Technical, second);

        // Another policy came into force: what was agreed to is not what would be released.
        await fixture.RunAsync("INSERT INTO kpi_tenant_policy (tenant_id, environment, version, document) VALUES ('acme', 'prod', 500, '{\"requires_approval\": true}')");
        Assert.Equal("stale", (await GetAsync(second.ChangeId)).State);
        var stale = await RefusedAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = second.ChangeId }, cancellationToken: Token));
        Assert.Equal("CHANGE_STALE", stale.Info().Reason);
        Assert.Contains("500", stale.Status.Detail, StringComparison.Ordinal);

        var third = await Author.ProposeChangeAsync(Proposal("exact", "0 2 * * *"), cancellationToken: Token);
        Assert.NotEqual(second.ChangeId, third.ChangeId);
        Assert.Empty(third.Decisions);
        Assert.Equal("*/15 * * * *", (await fixture.Host.Jobs().GetJobAsync(new GetJobRequest { BindingId = bound }, cancellationToken: Token)).ScheduleCron);
    }

    [Fact]
    public async Task A_rehearsal_tells_no_number_that_another_change_will_have_and_keeps_nothing()
    {
        var bound = await ReleasedAsync("rehearsed");
        var before = await fixture.FootprintAsync();

        var proposed = await Author.ProposeChangeAsync(new ProposeChangeRequest { Environment = "prod", Content = Job("rehearsed", "0 8 * * *"), ValidateOnly = true }, cancellationToken: Token);
        var fresh = await Author.ProposeChangeAsync(new ProposeChangeRequest { Environment = "prod", Content = Job("unheard"), ValidateOnly = true }, cancellationToken: Token);
        var put = await AuthorsJobs.UpdateJobAsync(new UpdateJobRequest { BindingId = bound, Content = Job("rehearsed", "0 8 * * *"), ValidateOnly = true }, cancellationToken: Token);
        var post = await AuthorsJobs.CreateJobAsync(new CreateJobRequest { Content = Job("unheard"), Environment = "prod", ValidateOnly = true }, cancellationToken: Token);

        Assert.Equal([(0, bound), (0, 0)], [(proposed.ChangeId, proposed.BindingId), (fresh.ChangeId, fresh.BindingId)]);
        Assert.Equal([(0, true), (0, true)], [(put.ChangeId, put.NeedsApproval), (post.ChangeId, post.NeedsApproval)]);
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task A_proposal_that_names_no_region_is_for_where_the_job_is_bound()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var created = await AuthorsJobs.CreateJobAsync(new CreateJobRequest { Content = Job("abroad"), Environment = "prod", Region = "us" }, cancellationToken: Token);
        await ReleaseAsync(await GetAsync(created.ChangeId));

        Assert.Equal("us", (await Author.ProposeChangeAsync(Proposal("abroad", "0 4 * * *"), cancellationToken: Token)).Region);
        var moved = await RefusedAsync(Author.ProposeChangeAsync(new ProposeChangeRequest { Environment = "prod", Region = "eu", Content = Job("abroad") }, cancellationToken: Token));
        Assert.Equal("region", Assert.Single(moved.Violations()).Field);
    }

    [Fact]
    public async Task A_change_of_owners_needs_the_old_and_the_new()
    {
        await ReleasedAsync("handover");

        var change = await Author.ProposeChangeAsync(Proposal("handover", more: "owners: { business: heir }"), cancellationToken: Token);

        Assert.Equal(["business business", "business heir", "technical technical"], change.Required.Select(r => $"{r.Capacity} {r.Principal}"));
    }

    [Fact]
    public async Task What_expired_or_became_invalid_is_not_released()
    {
        await ReleasedAsync("late");
        var expired = await Author.ProposeChangeAsync(Proposal("late", "0 3 * * *"), cancellationToken: Token);
        await ApproveAsync(Business, expired);
        await ApproveAsync(Technical, expired);
        await fixture.RunAsync(string.Create(CultureInfo.InvariantCulture, $"ALTER TABLE kpi_change DISABLE TRIGGER moves_on; UPDATE kpi_change SET expires_at = now() WHERE change_id = {expired.ChangeId}; ALTER TABLE kpi_change ENABLE TRIGGER moves_on"));
        Assert.Equal("CHANGE_EXPIRED", await ReasonAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = expired.ChangeId }, cancellationToken: Token)));
        Assert.Equal("expired", (await GetAsync(expired.ChangeId)).State);

        var other = SampleTexts.SimpleContract("2.0.0");
        await fixture.Host.PutContractAsync(other, Token);
        var next = await Author.ProposeChangeAsync(Proposal("late", "0 4 * * *", version: "2.0.0"), cancellationToken: Token);
        await ApproveAsync(Business, next);
        await ApproveAsync(Technical, next);
        await fixture.RunAsync("UPDATE kpi_contract SET status = 'retired' WHERE kpi_id = 'T-SIMPLE' AND version = '2.0.0'");
        var refused = await RefusedAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = next.ChangeId }, cancellationToken: Token));
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Contains("etired", refused.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_two_that_apply_or_reject_at_once_one_wins()
    {
        await ReleasedAsync("raced");
        var change = await Author.ProposeChangeAsync(Proposal("raced", "0 5 * * *"), cancellationToken: Token);
        await ApproveAsync(Business, change);
        await ApproveAsync(Technical, change);

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 6).Select(async i =>
        {
            try
            {
                return i % 2 == 0 ? (await ApplyAsync(change.ChangeId)).State
                    : (await Business.RejectChangeAsync(new DecideChangeRequest { ChangeId = change.ChangeId, Comment = "not now" }, cancellationToken: Token)).State;
            }
            catch (RpcException refused)
            {
                return refused.Info().Reason;
            }
        }));

        Assert.Single(outcomes, outcome => outcome is "applied" or "rejected");
        Assert.All(outcomes, outcome => Assert.Contains(outcome, new[] { "applied", "rejected", "CHANGE_CLOSED", "CHANGE_MOVED", "CHANGE_STALE" }));
        var state = (await GetAsync(change.ChangeId)).State;
        var cron = (await fixture.Host.Jobs().GetJobAsync(new GetJobRequest { BindingId = change.BindingId }, cancellationToken: Token)).ScheduleCron;
        Assert.Equal(state == "applied" ? "0 5 * * *" : "*/15 * * * *", cron);
    }

    [Fact]
    public async Task A_rejection_says_why_and_a_withdrawal_is_the_authors()
    {
        await ReleasedAsync("refused");
        var change = await Author.ProposeChangeAsync(Proposal("refused", "0 7 * * *"), cancellationToken: Token);
        Assert.Equal(StatusCode.InvalidArgument, (await RefusedAsync(Business.RejectChangeAsync(new DecideChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token))).StatusCode);
        Assert.Equal("NOT_THE_AUTHOR", await ReasonAsync(Changes(Person("somebody", "author")).WithdrawChangeAsync(new WithdrawChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token)));
        var rejected = await Business.RejectChangeAsync(new DecideChangeRequest { ChangeId = change.ChangeId, Comment = "the ERP closes later" }, cancellationToken: Token);
        Assert.Equal(("rejected", "business", "the ERP closes later"), (rejected.State, rejected.ClosedBy, rejected.Decisions[0].Comment));
        Assert.Equal("CHANGE_CLOSED", await ReasonAsync(Approve(Technical, change)));

        var next = await Author.ProposeChangeAsync(Proposal("refused", "0 7 * * *"), cancellationToken: Token);
        Assert.Equal("withdrawn", (await Author.WithdrawChangeAsync(new WithdrawChangeRequest { ChangeId = next.ChangeId }, cancellationToken: Token)).State);
        var closed = await Author.ListChangesAsync(new ListChangesRequest { JobId = "refused", State = "closed" }, cancellationToken: Token);
        Assert.Equal(["withdrawn", "rejected", "applied"], closed.Changes.Select(c => c.State));
        Assert.Empty((await Author.ListChangesAsync(new ListChangesRequest { JobId = "refused" }, cancellationToken: Token)).Changes);
    }

    [Fact]
    public async Task What_was_decided_is_never_altered_not_even_by_the_owner_of_the_tables()
    {
        var bound = await ReleasedAsync("fixed");
        foreach (var slip in new[]
        {
            "UPDATE kpi_change SET content_hash = content_hash || 'x' WHERE binding_id = @bound", "UPDATE kpi_change SET state = 'open', closed_at = NULL, closed_by = NULL, applied_revision = NULL WHERE binding_id = @bound",
            "DELETE FROM kpi_change WHERE binding_id = @bound", "UPDATE kpi_change_decision SET principal = 'x'", "DELETE FROM kpi_change_decision", "TRUNCATE kpi_change_decision",
        })
            Assert.Equal("42501", (await Assert.ThrowsAsync<Npgsql.PostgresException>(() => fixture.RunAsync(slip.Replace("@bound", $"{bound}", StringComparison.Ordinal)))).SqlState);
    }

    [Fact]
    public async Task Promotion_moves_the_same_hash_and_a_rollback_rebinds_an_earlier_one()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var dev = await fixture.Host.Jobs().CreateJobAsync(new CreateJobRequest { Content = Job("moved") }, cancellationToken: Token);
        var promoted = await Author.PromoteJobAsync(new PromoteJobRequest { BindingId = dev.BindingId, ToEnvironment = "prod", Reason = "go live" }, cancellationToken: Token);
        Assert.Equal(("prod", "create", dev.ContentHash, "promoted from acme/dev/moved r1: go live"), (promoted.Environment, promoted.Kind, promoted.ContentHash, promoted.Reason));
        Assert.Equal("NOTHING_BEFORE", await ReasonAsync(Publisher.RollBackJobAsync(new RollBackJobRequest { BindingId = promoted.BindingId }, cancellationToken: Token)));
        await ReleaseAsync(promoted);
        await ReleaseAsync(await Author.ProposeChangeAsync(Proposal("moved", "0 9 * * *"), cancellationToken: Token));

        // A proposal of somebody else: a publisher who rolls back may not approve it, and whoever does sees what it undoes.
        var back = await Publisher.RollBackJobAsync(new RollBackJobRequest { BindingId = promoted.BindingId }, cancellationToken: Token);

        Assert.Equal((dev.ContentHash, "rolled back to r2"), (back.ContentHash, back.Reason));
        Assert.Equal([("/schedule/expression", "\"0 9 * * *\"", "\"*/15 * * * *\"")], back.Differences.Select(d => (d.Path, d.Before, d.After)));
        await ReleaseAsync(back);
        Assert.Equal(dev.ContentHash, (await fixture.Host.Jobs().GetJobAsync(new GetJobRequest { BindingId = promoted.BindingId }, cancellationToken: Token)).ContentHash);
        var down = await RefusedAsync(Author.PromoteJobAsync(new PromoteJobRequest { BindingId = promoted.BindingId, ToEnvironment = "dev" }, cancellationToken: Token));
        Assert.Equal(StatusCode.InvalidArgument, down.StatusCode);
    }

    [Fact]
    public async Task A_later_version_of_the_calendar_makes_what_was_agreed_to_stale()
    {
        var catalog = fixture.Host.Catalog();
        async Task<KpiControl.Protocol.V1.Calendar> PutAsync(string more) => await catalog.PutCalendarAsync(new PutCalendarRequest { Tenant = "acme", Content = "calendar: signed\n" + more }, cancellationToken: Token);
        await PutAsync("");
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var proposal = new ProposeChangeRequest { Environment = "prod", Content = Job("on_calendar", "0 7 * * *").Replace("timezone: UTC", "timezone: UTC, calendar: signed", StringComparison.Ordinal) };
        var change = await Author.ProposeChangeAsync(proposal, cancellationToken: Token);
        Assert.Equal(("signed", 1), (change.Calendar, change.CalendarVersion));
        await ApproveAsync(Business, change);
        await ApproveAsync(Technical, change);

        await PutAsync("weekend: [sunday]");

        Assert.Equal("stale", (await GetAsync(change.ChangeId)).State);
        var refused = await RefusedAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token));
        Assert.Contains("The calendar signed has changed from version 1 to 2 since it was proposed", refused.Status.Detail, StringComparison.Ordinal);
        var again = await Author.ProposeChangeAsync(proposal, cancellationToken: Token);
        Assert.NotEqual(change.Digest, again.Digest);
        await ReleaseAsync(again);
        var job = await fixture.Host.Jobs().GetJobAsync(new GetJobRequest { BindingId = again.BindingId }, cancellationToken: Token);
        Assert.Equal((true, 2), (job.ActiveFlag, job.CalendarVersion));
        // What is in force moves with the next version, and is released no more for that.
        await PutAsync("weekend: [saturday]");
        Assert.Equal(3, (await fixture.Host.Jobs().GetJobAsync(new GetJobRequest { BindingId = again.BindingId }, cancellationToken: Token)).CalendarVersion);
    }

    private static string Job(string jobId, string cron = "*/15 * * * *", string more = "", string version = "1.0.0") => SampleTexts.Simple(jobId, cron, $"""
        sla: {"{"} freshness: 48h {"}"}
        alerts: [ {"{"} channel: "email:a@b.example", severity: low {"}"} ]
        {more}
        """).Replace("contract_version: 1.0.0", $"contract_version: {version}", StringComparison.Ordinal);

    private static ProposeChangeRequest Proposal(string jobId, string cron = "*/15 * * * *", string more = "", string version = "1.0.0") =>
        new() { Environment = "prod", Content = Job(jobId, cron, more, version) };

    private string Person(string name, string role) => fixture.Issuer.PersonToken(name, $"acme/*/{role}");

    private ChangeService.ChangeServiceClient Changes(string token) => new(fixture.Host.Channel(token));

    private async Task<CreateJobResponse> PostAsync(string jobId, string more = "")
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        return await AuthorsJobs.CreateJobAsync(new CreateJobRequest { Content = Job(jobId, more: more), Environment = "prod" }, cancellationToken: Token);
    }

    private async Task<long> ReleasedAsync(string jobId)
    {
        var created = await PostAsync(jobId);
        await ReleaseAsync(await GetAsync(created.ChangeId));
        return created.BindingId;
    }

    private async Task ReleaseAsync(Change change)
    {
        await ApproveAsync(Business, change);
        await ApproveAsync(Technical, change);
        await ApplyAsync(change.ChangeId);
    }

    private Task<Change> GetAsync(long id) => Author.GetChangeAsync(new GetChangeRequest { ChangeId = id }, cancellationToken: Token).ResponseAsync;

    private Task<Change> ApplyAsync(long id) => Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = id }, cancellationToken: Token).ResponseAsync;

    private static AsyncUnaryCall<Change> Approve(ChangeService.ChangeServiceClient who, Change change) =>
        who.ApproveChangeAsync(new DecideChangeRequest { ChangeId = change.ChangeId, Digest = change.Digest }, cancellationToken: Token);

    private static Task<Change> ApproveAsync(ChangeService.ChangeServiceClient who, Change change) => Approve(who, change).ResponseAsync;

    private static Task<RpcException> RefusedAsync<T>(AsyncUnaryCall<T> call) => Refusals.OfAsync(call);

    private static async Task<string> ReasonAsync<T>(AsyncUnaryCall<T> call) => (await Refusals.OfAsync(call)).Info().Reason;
}
