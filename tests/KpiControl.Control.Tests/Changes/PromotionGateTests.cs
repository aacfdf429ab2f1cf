using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Changes;

/// <summary>A promotion is a release like every other: it keeps to freezes and windows, and counts for what its approvals were given for.</summary>
public sealed class PromotionGateTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private TenantService.TenantServiceClient Admin => new(fixture.Host.Channel(Person("admin", "admin")));

    private ChangeService.ChangeServiceClient Author => Changes("author", "author");

    private ChangeService.ChangeServiceClient Publisher => Changes("publisher", "publisher");

    [Theory]
    [InlineData("FREEZE")]
    [InlineData("CHANGE_WINDOW")]
    public async Task A_promotion_may_be_proposed_and_agreed_to_in_a_freeze_or_outside_of_a_window_and_is_released_after_it(string held)
    {
        var job = held == "FREEZE" ? "promoted_in_freeze" : "promoted_out_of_window";
        var dev = await BoundInDevAsync(job);
        var day = TimeProvider.System.GetUtcNow().UtcDateTime.Date.AddDays(2);
        await PutAsync(held == "FREEZE"
            ? new PutPolicyRequest { Freezes = new() { Freezes_ = { new Freeze { From = TimeProvider.System.GetUtcNow().AddHours(-1).ToTimestamp(), Until = Timestamp.FromDateTime(day), Reason = "year end" } } } }
            : new PutPolicyRequest { ReleaseWindows = new() { Windows = { new ReleaseWindow { Days = { day.DayOfWeek.ToString()[..3].ToLowerInvariant() }, From = "09:00", To = "16:00", Timezone = "UTC" } } } });

        var promoted = await ApprovedAsync(await Author.PromoteJobAsync(new PromoteJobRequest { BindingId = dev.BindingId, ToEnvironment = "prod" }, cancellationToken: Token));
        Assert.Equal(("approved", dev.ContentHash), (promoted.State, promoted.ContentHash));
        Assert.Equal(held == "FREEZE" ? day : day.AddHours(9), promoted.ReleasableFrom.ToDateTime());
        Assert.Equal(held, await ReasonAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = promoted.ChangeId }, cancellationToken: Token)));
        var waits = await fixture.Host.Jobs().GetJobAsync(new GetJobRequest { BindingId = promoted.BindingId }, cancellationToken: Token);
        Assert.False(waits.ActiveFlag);

        await PutAsync(new PutPolicyRequest { Freezes = new(), ReleaseWindows = new() });
        // Another policy is another thing to agree to.
        Assert.Equal("CHANGE_STALE", await ReasonAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = promoted.ChangeId }, cancellationToken: Token)));
        var again = await ApprovedAsync(await Author.PromoteJobAsync(new PromoteJobRequest { BindingId = dev.BindingId, ToEnvironment = "prod" }, cancellationToken: Token));
        Assert.Equal("applied", (await Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = again.ChangeId }, cancellationToken: Token)).State);
        Assert.Equal(dev.ContentHash, (await fixture.Host.Jobs().GetJobAsync(new GetJobRequest { BindingId = again.BindingId }, cancellationToken: Token)).ContentHash);
    }

    [Fact]
    public async Task A_metric_contract_that_was_altered_behind_everybodys_back_voids_what_was_agreed_to()
    {
        await PutAsync(new PutPolicyRequest { Freezes = new(), ReleaseWindows = new() });
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract("1.7.0"), Token);
        var change = await ApprovedAsync(await Author.ProposeChangeAsync(new ProposeChangeRequest { Environment = "prod", Content = Job("on_contract").Replace("contract_version: 1.0.0", "contract_version: 1.7.0", StringComparison.Ordinal) }, cancellationToken: Token));
        // Behind everybody's back: a version is one text, and never another.
        await AlterAsync("reverse(digest_hex)");
        Assert.Equal("stale", (await Author.GetChangeAsync(new GetChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token)).State);
        var refused = await Refusals.OfAsync(Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token));
        Assert.Equal("CHANGE_STALE", refused.Info().Reason);
        Assert.Contains("What is stored of its metric contract has changed", refused.Status.Detail, StringComparison.Ordinal);
        await AlterAsync("reverse(digest_hex)");
        Assert.Equal("approved", (await Author.GetChangeAsync(new GetChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token)).State);
    }

    [Fact]
    public async Task A_version_of_a_tables_contract_is_no_part_of_what_was_agreed_to()
    {
        await PutAsync(new PutPolicyRequest { Freezes = new(), ReleaseWindows = new() });
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var change = await ApprovedAsync(await Author.ProposeChangeAsync(new ProposeChangeRequest { Environment = "prod", Content = Job("beside_a_table") }, cancellationToken: Token));
        await fixture.Host.PutContractAsync(await File.ReadAllTextAsync(Repository.File("samples", "stages", "contracts", "gdp-invoices.yaml"), Token), Token);
        Assert.Equal("applied", (await Publisher.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token)).State);
    }

    private async Task<CreateJobResponse> BoundInDevAsync(string jobId)
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        return await fixture.Host.Jobs().CreateJobAsync(new CreateJobRequest { Content = Job(jobId) }, cancellationToken: Token);
    }

    private async Task<Change> ApprovedAsync(Change change)
    {
        foreach (var capacity in new[] { "business", "technical" })
            await Changes(capacity, $"approver_{capacity}").ApproveChangeAsync(new DecideChangeRequest { ChangeId = change.ChangeId, Digest = change.Digest }, cancellationToken: Token);
        return await Author.GetChangeAsync(new GetChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token);
    }

    private Task AlterAsync(string to) => fixture.RunAsync($"""
        ALTER TABLE kpi_contract DISABLE TRIGGER USER;
        UPDATE kpi_contract SET digest = 'sha256:' || {to.Replace("digest_hex", "substr(digest, 8)", StringComparison.Ordinal)} WHERE kpi_id = 'T-SIMPLE' AND version = '1.7.0';
        ALTER TABLE kpi_contract ENABLE TRIGGER USER
        """);

    private Task PutAsync(PutPolicyRequest policy)
    {
        (policy.Tenant, policy.Environment) = ("acme", "prod");
        return Admin.PutPolicyAsync(policy, cancellationToken: Token).ResponseAsync;
    }

    private static string Job(string jobId) => SampleTexts.Simple(jobId, "0 6 * * *", """
        sla: { freshness: 48h }
        alerts: [ { channel: "email:a@b.example", severity: low } ]
        """);

    private string Person(string name, string role) => fixture.Issuer.PersonToken(name, $"acme/*/{role}");

    private ChangeService.ChangeServiceClient Changes(string name, string role) => new(fixture.Host.Channel(Person(name, role)));

    private static async Task<string> ReasonAsync<T>(AsyncUnaryCall<T> call) => (await Refusals.OfAsync(call)).Info().Reason;
}
