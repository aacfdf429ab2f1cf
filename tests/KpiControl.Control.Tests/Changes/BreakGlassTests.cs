using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Changes;

/// <summary>What cannot wait is released by two approvers who are not its author, for a bounded time, and somebody else looks at it afterwards.</summary>
public sealed class BreakGlassTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private ChangeService.ChangeServiceClient Author => Changes("author", "author", "approver_business");

    private ChangeService.ChangeServiceClient Bea => Changes("bea", "approver_business");

    private ChangeService.ChangeServiceClient Carl => Changes("carl", "approver_business");

    private ChangeService.ChangeServiceClient Publisher => Changes("publisher", "publisher");

    private TenantService.TenantServiceClient Admin => new(fixture.Host.Channel(fixture.Issuer.PersonToken("admin", "acme/*/admin")));

    [Fact]
    public async Task Two_approvers_who_are_not_its_author_release_in_a_freeze_and_a_third_closes_the_review_once()
    {
        await FreezeAsync();
        var change = await ProposeAsync("urgent");
        Assert.Equal("OWN_CHANGE", await ReasonAsync(Break(Author, change)));
        Assert.Equal(StatusCode.InvalidArgument, (await Refusals.OfAsync(Bea.ApproveChangeAsync(new DecideChangeRequest { ChangeId = change.ChangeId, Digest = change.Digest, BreakGlass = true }, cancellationToken: Token))).StatusCode);
        Assert.Equal("DIGEST_MISMATCH", await ReasonAsync(Bea.ApproveChangeAsync(new DecideChangeRequest { ChangeId = change.ChangeId, Digest = "sha256:x", Comment = "x", BreakGlass = true }, cancellationToken: Token)));
        Assert.Equal(StatusCode.PermissionDenied, (await Refusals.OfAsync(Break(Publisher, change))).StatusCode);
        await Break(Bea, change);
        // The same person again is no second one.
        Assert.Single((await Break(Bea, change)).BreakGlass);
        Assert.Equal("BREAK_GLASS_MISSING", await ReasonAsync(Release(change)));
        Assert.Equal("bea carl", string.Join(' ', (await Break(Carl, change)).BreakGlass.Select(a => a.Principal)));
        Assert.Equal("APPROVAL_MISSING", await ReasonAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token)));
        Assert.Equal(StatusCode.InvalidArgument, (await Refusals.OfAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId, BreakGlass = true }, cancellationToken: Token))).StatusCode);

        var released = await Release(change);

        Assert.Equal(("applied", "open", "the ledger is wrong"), (released.State, released.Review.State, released.Review.Reason));
        Assert.Equal(["author", "bea", "carl", "publisher"], released.Review.Participants);
        Assert.True((await fixture.Host.Jobs().GetJobAsync(new GetJobRequest { BindingId = change.BindingId }, cancellationToken: Token)).ActiveFlag);
        Assert.Equal("[\"break-glass: bea\", \"break-glass: carl\"]", await fixture.ScalarAsync<string>(
            "SELECT after ->> 'approvals' FROM kpi_audit WHERE object_kind = 'binding' AND verb = 'Update' AND object_id = @id", new { id = $"{change.BindingId}" }));
        Assert.Equal(["ChangeRequestSubmit author", "ChangeRequestApprove bea", "ChangeRequestApprove carl", "Publish publisher"], await fixture.ListAsync(
            "SELECT concat_ws(' ', verb, actor) FROM kpi_audit WHERE object_kind = 'change' AND object_id = @id ORDER BY audit_id", new { id = $"{change.ChangeId}" }));
        Assert.Contains((await Bea.ListReviewsAsync(new ListReviewsRequest(), cancellationToken: Token)).Reviews, review => review.ChangeId == change.ChangeId && review.JobId == "urgent");
        Assert.Empty((await Stranger.ListReviewsAsync(new ListReviewsRequest { State = "all" }, cancellationToken: Token)).Reviews);

        Assert.Equal("REVIEW_PARTICIPANT", await ReasonAsync(Close(Bea, change)));
        Assert.Equal("REVIEW_PARTICIPANT", await ReasonAsync(Close(Author, change)));
        Assert.Equal("NOT_FOUND", await ReasonAsync(Close(Stranger, change)));
        Assert.Equal("open", (await Bea.GetChangeAsync(new GetChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token)).Review.State);
        var dora = Changes("dora", "approver_technical");
        Assert.Equal(("closed", "dora", "it was right"), await Close(dora, change) is var closed ? (closed.State, closed.ClosedBy, closed.Comment) : default);
        Assert.Equal("REVIEW_CLOSED", await ReasonAsync(Close(dora, change)));
        Assert.DoesNotContain((await Bea.ListReviewsAsync(new ListReviewsRequest(), cancellationToken: Token)).Reviews, review => review.ChangeId == change.ChangeId);
        foreach (var slip in new[]
        {
            "UPDATE kpi_change_review SET comment = 'x'", "UPDATE kpi_change_review SET closed_at = NULL, closed_by = NULL, comment = NULL", "DELETE FROM kpi_change_review",
            "UPDATE kpi_break_glass_approval SET expires_at = now() + interval '1 year'", "DELETE FROM kpi_break_glass_approval", "TRUNCATE kpi_break_glass_approval",
        })
            Assert.Equal("42501", (await Assert.ThrowsAsync<Npgsql.PostgresException>(() => fixture.RunAsync(slip))).SqlState);
    }

    [Fact]
    public async Task Whoever_agreed_in_any_way_does_not_review_it()
    {
        await FreezeAsync();
        var change = await ProposeAsync("known_to_all");
        await Changes("business", "approver_business").ApproveChangeAsync(new DecideChangeRequest { ChangeId = change.ChangeId, Digest = change.Digest }, cancellationToken: Token);
        await Break(Bea, change);
        await Break(Carl, change);

        Assert.Equal(["author", "bea", "business", "carl", "publisher"], (await Release(change)).Review.Participants);
        Assert.Equal("REVIEW_PARTICIPANT", await ReasonAsync(Close(Changes("business", "approver_business"), change)));
    }

    [Fact]
    public async Task Once_its_time_is_over_an_approval_counts_no_more_and_may_be_given_again()
    {
        await FreezeAsync();
        var change = await ProposeAsync("slow");
        await Break(Bea, change);
        await Break(Carl, change);
        await fixture.RunAsync("ALTER TABLE kpi_break_glass_approval DISABLE TRIGGER append_only; UPDATE kpi_break_glass_approval SET decided_at = now() - interval '5 hours', expires_at = now() - interval '1 hour' WHERE principal = 'bea' AND change_id = "
            + FormattableString.Invariant($"{change.ChangeId}; ALTER TABLE kpi_break_glass_approval ENABLE TRIGGER append_only"));

        var refused = await Refusals.OfAsync(Release(change));

        Assert.Equal("BREAK_GLASS_MISSING", refused.Info().Reason);
        Assert.Contains("1 whose time is over", refused.Status.Detail, StringComparison.Ordinal);
        await Break(Bea, change);
        Assert.Equal("applied", (await Release(change)).State);
        Assert.Equal("NO_REVIEW", await ReasonAsync(Close(Bea, await ProposeAsync("calm"))));
    }

    [Fact]
    public async Task A_policy_says_for_how_long_and_may_forbid_it()
    {
        await FreezeAsync();
        Assert.Equal(4 * 3600, (await Admin.GetPolicyAsync(new GetPolicyRequest { Tenant = "acme", Environment = "prod" }, cancellationToken: Token)).BreakGlassFor.Seconds);
        await PutAsync(TimeSpan.FromMinutes(30));
        var brief = Assert.Single((await Break(Bea, await ProposeAsync("brief"))).BreakGlass);
        Assert.Equal(TimeSpan.FromMinutes(30), (brief.ExpiresAt - brief.DecidedAt).ToTimeSpan());

        await PutAsync(TimeSpan.Zero);
        Assert.Equal("BREAK_GLASS_FORBIDDEN", await ReasonAsync(Break(Bea, await ProposeAsync("forbidden"))));
        Assert.Equal("break_glass_for", Assert.Single((await Refusals.OfAsync(Admin.PutPolicyAsync(
            new PutPolicyRequest { Tenant = "acme", Environment = "prod", BreakGlassFor = Duration.FromTimeSpan(TimeSpan.FromHours(73)) }, cancellationToken: Token))).Violations()).Field);
        await PutAsync(TimeSpan.FromHours(4));
    }

    private ChangeService.ChangeServiceClient Stranger => new(fixture.Host.Channel(fixture.Issuer.PersonToken("eve", "globex/*/approver_business")));

    private ChangeService.ChangeServiceClient Changes(string name, params string[] roles) => new(fixture.Host.Channel(fixture.Issuer.PersonToken(name, [.. roles.Select(role => $"acme/*/{role}")])));

    private Task PutAsync(TimeSpan life) => Admin.PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = "prod", BreakGlassFor = Duration.FromTimeSpan(life) }, cancellationToken: Token).ResponseAsync;

    private async Task FreezeAsync()
    {
        var now = TimeProvider.System.GetUtcNow().ToTimestamp();
        var freeze = new Freeze { From = now - Duration.FromTimeSpan(TimeSpan.FromHours(1)), Until = now + Duration.FromTimeSpan(TimeSpan.FromDays(1)), Reason = "year end" };
        await Admin.PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = "prod", Freezes = new() { Freezes_ = { freeze } } }, cancellationToken: Token);
    }

    private async Task<Change> ProposeAsync(string jobId)
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        return await Author.ProposeChangeAsync(new ProposeChangeRequest
        {
            Environment = "prod", Content = SampleTexts.Simple(jobId, "0 6 * * *", """
            sla: { freshness: 48h }
            alerts: [ { channel: "email:a@b.example", severity: low } ]
            """),
        }, cancellationToken: Token);
    }

    private static AsyncUnaryCall<Change> Break(ChangeService.ChangeServiceClient who, Change change) =>
        who.ApproveChangeAsync(new DecideChangeRequest { ChangeId = change.ChangeId, Digest = change.Digest, Comment = "it cannot wait", BreakGlass = true }, cancellationToken: Token);

    private AsyncUnaryCall<Change> Release(Change change) =>
        Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId, BreakGlass = true, Reason = "the ledger is wrong" }, cancellationToken: Token);

    private static AsyncUnaryCall<ChangeReview> Close(ChangeService.ChangeServiceClient who, Change change) =>
        who.CloseReviewAsync(new CloseReviewRequest { ChangeId = change.ChangeId, Comment = "it was right" }, cancellationToken: Token);

    private static async Task<string> ReasonAsync<T>(AsyncUnaryCall<T> call) => (await Refusals.OfAsync(call)).Info().Reason;
}
