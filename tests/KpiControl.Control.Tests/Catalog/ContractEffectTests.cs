using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Catalog;

/// <summary>What a contract's new version would do to the jobs of earlier ones. Each test has a KPI of its own.</summary>
public sealed class ContractEffectTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private CatalogService.CatalogServiceClient Catalog => fixture.Host.Catalog();

    private static string Contract(string kpi, string version, string status = "active") => SampleTexts.SimpleContract(version, status).Replace("T-SIMPLE", kpi, StringComparison.Ordinal);

    private static PutContractRequest Put(string content, bool dry = false) => new() { Tenant = "acme", Content = content, ValidateOnly = dry };

    private async Task BindAsync(string kpi, string jobId, string version = "1.0.0", string environment = "dev", string more = "")
    {
        await fixture.Host.PutContractAsync(Contract(kpi, version), Token);
        var content = SampleTexts.Simple(jobId, more: more).Replace("T-SIMPLE", kpi, StringComparison.Ordinal).Replace("contract_version: 1.0.0", $"contract_version: {version}", StringComparison.Ordinal);
        await fixture.Host.Jobs().CreateJobAsync(new CreateJobRequest { Content = content, Environment = environment }, cancellationToken: Token);
    }

    private static string Told(ContractEffect effect) => string.Join(' ', new[] { $"{effect.Environment}/{effect.JobId}@{effect.ContractVersion}", effect.Breaks ? "breaks" : "fits" }
        .Concat(effect.Findings.Select(finding => finding.Rule)).Concat(effect.Breaking.Select(reason => reason.Rule)));

    [Fact]
    public async Task A_version_names_the_jobs_of_earlier_ones_and_why_each_breaks()
    {
        await BindAsync("T-EFFECTS", "plain");
        await BindAsync("T-EFFECTS", "extended", more: "runtime: { extensions: { time: [MoM] } }");
        await BindAsync("T-EFFECTS", "later", "1.5.0");
        await BindAsync("T-EFFECTS-OTHER", "stranger");
        var before = await fixture.FootprintAsync();

        var fits = await Catalog.PutContractAsync(Put(Contract("T-EFFECTS", "1.1.0"), dry: true), cancellationToken: Token);
        var less = await Catalog.PutContractAsync(Put(Contract("T-EFFECTS", "1.1.0").Replace("[MoM]", "[WoW]", StringComparison.Ordinal).Replace("dependencies: []", "dependencies: [GDP_New]", StringComparison.Ordinal), dry: true), cancellationToken: Token);
        var next = await Catalog.PutContractAsync(Put(Contract("T-EFFECTS", "2.0.0").Replace("grain: day", "grain: month", StringComparison.Ordinal).Replace("name: amount", "name: total", StringComparison.Ordinal), dry: true), cancellationToken: Token);

        Assert.Equal(["dev/extended@1.0.0 fits", "dev/plain@1.0.0 fits"], fits.Effects.Select(Told));
        Assert.Equal(["dev/extended@1.0.0 breaks contract.missing_dependency contract.extension", "dev/plain@1.0.0 breaks contract.missing_dependency"], less.Effects.Select(Told));
        Assert.Equal(
            ["extended", "later", "plain"],
            next.Effects.Where(effect => effect.Breaking.Select(reason => reason.Rule).SequenceEqual(["breaking.contract_major", "breaking.grain", "breaking.metric_removed"])).Select(effect => effect.JobId));
        Assert.All(less.Effects, effect => Assert.True(effect.BindingId > 0 && effect.Region == "eu" && effect.Findings.All(finding => finding.Hint.Length > 0)));
        Assert.False(next.MoreEffects);
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task Versions_are_in_the_order_of_SemVer_and_a_prerelease_comes_before_its_release()
    {
        await BindAsync("T-ORDER", "ninth", "1.9.0");
        await BindAsync("T-ORDER", "candidate", "1.10.0-rc.2");

        async Task<IEnumerable<string>> JobsAsync(string version) =>
            (await Catalog.PutContractAsync(Put(Contract("T-ORDER", version), dry: true), cancellationToken: Token)).Effects.Select(effect => effect.JobId);

        Assert.Equal(["candidate", "ninth"], await JobsAsync("1.10.0"));
        Assert.Equal(["ninth"], await JobsAsync("1.10.0-rc.1"));
        Assert.Equal(["candidate", "ninth"], await JobsAsync("1.10.0-rc.10"));
        Assert.Empty(await JobsAsync("1.8.7"));
    }

    [Fact]
    public async Task Nobody_is_told_of_jobs_that_they_may_not_read()
    {
        await BindAsync("T-SCOPE", "seen");
        await BindAsync("T-SCOPE", "unseen", environment: "stg", more: "sla: { freshness: 24h }\nalerts: [ { channel: \"email:a@b.example\", severity: low } ]");
        var inDevAlone = fixture.Host.Catalog(fixture.Issuer.PersonToken("dev-publisher", "acme/dev/publisher"));

        Assert.Equal(["seen"], (await inDevAlone.PutContractAsync(Put(Contract("T-SCOPE", "1.1.0"), dry: true), cancellationToken: Token)).Effects.Select(effect => effect.JobId));
        // Those of the environment that matters more come first.
        Assert.Equal(["unseen", "seen"], (await Catalog.PutContractAsync(Put(Contract("T-SCOPE", "1.1.0"), dry: true), cancellationToken: Token)).Effects.Select(effect => effect.JobId));
    }

    [Fact]
    public async Task An_answer_of_yesterday_names_no_job_to_somebody_who_may_no_longer_read_it()
    {
        await BindAsync("T-REPLAY", "known");
        var put = Put(Contract("T-REPLAY", "1.1.0"));
        put.RequestId = Guid.NewGuid().ToString();
        var everywhere = fixture.Host.Catalog(fixture.Issuer.PersonToken("mover", "acme/*/publisher"));
        var first = await everywhere.PutContractAsync(put, cancellationToken: Token);

        Assert.Equal("known", Assert.Single(first.Effects).JobId);
        Assert.Equal(first, await everywhere.PutContractAsync(put, cancellationToken: Token));
        await Refusals.OfAsync(fixture.Host.Catalog(fixture.Issuer.PersonToken("mover", "acme/prod/publisher")).PutContractAsync(put, cancellationToken: Token));
    }

    [Fact]
    public async Task A_version_that_is_retired_names_its_own_jobs_and_a_draft_is_judged_as_if_it_were_active()
    {
        await BindAsync("T-LIFE", "living");
        var draft = await Catalog.PutContractAsync(Put(Contract("T-LIFE", "1.1.0", "draft")), cancellationToken: Token);
        SetContractStatusRequest To(string version, string status) => new() { Tenant = "acme", KpiId = "T-LIFE", Version = version, Status = status, ValidateOnly = true };

        Assert.Equal(["dev/living@1.0.0 fits"], draft.Effects.Select(Told));
        Assert.Equal(["dev/living@1.0.0 fits"], (await Catalog.SetContractStatusAsync(To("1.1.0", "active"), cancellationToken: Token)).Effects.Select(Told));
        Assert.Equal(["dev/living@1.0.0 fits contract.deprecated"], (await Catalog.SetContractStatusAsync(To("1.0.0", "deprecated"), cancellationToken: Token)).Effects.Select(Told));
        Assert.Equal(["dev/living@1.0.0 breaks contract.retired"], (await Catalog.SetContractStatusAsync(To("1.0.0", "retired"), cancellationToken: Token)).Effects.Select(Told));
        Assert.Empty((await Catalog.GetContractAsync(new GetContractRequest { Tenant = "acme", KpiId = "T-LIFE", Version = "1.1.0" }, cancellationToken: Token)).Effects);
    }

    [Fact]
    public async Task Whoever_may_not_publish_where_jobs_run_by_a_version_cannot_take_it_from_them()
    {
        await BindAsync("T-TAKEN", "takes", environment: "stg", more: "sla: { freshness: 24h }\nalerts: [ { channel: \"email:a@b.example\", severity: low } ]");
        var inDevAlone = fixture.Host.Catalog(fixture.Issuer.PersonToken("dev-publisher", "acme/dev/publisher"));
        SetContractStatusRequest To(string status) => new() { Tenant = "acme", KpiId = "T-TAKEN", Version = "1.0.0", Status = status };

        Assert.Equal(StatusCode.PermissionDenied, (await Refusals.OfAsync(inDevAlone.SetContractStatusAsync(To("deprecated"), cancellationToken: Token))).StatusCode);
        Assert.Equal("active", (await inDevAlone.GetContractAsync(new GetContractRequest { Tenant = "acme", KpiId = "T-TAKEN", Version = "1.0.0" }, cancellationToken: Token)).Status);
        // What nobody runs by is its author's.
        await inDevAlone.PutContractAsync(Put(Contract("T-TAKEN", "1.1.0")), cancellationToken: Token);
        await inDevAlone.SetContractStatusAsync(new SetContractStatusRequest { Tenant = "acme", KpiId = "T-TAKEN", Version = "1.1.0", Status = "deprecated" }, cancellationToken: Token);
        await Catalog.SetContractStatusAsync(To("deprecated"), cancellationToken: Token);
    }

    [Fact]
    public async Task Of_more_than_a_thousand_jobs_a_thousand_are_named_and_it_is_said()
    {
        await new BindingSeed(fixture.Database).BindAsync(BindingSeed.Job("many"), "now() + interval '1 day'", count: 1001, token: Token);
        var next = SampleTexts.Contract("cfo-ef-02.yaml").Replace("version: \"1.1.0\"", "version: \"1.2.0\"", StringComparison.Ordinal);

        var answer = await Catalog.PutContractAsync(Put(next, dry: true), cancellationToken: Token);

        Assert.Equal((1000, true), (answer.Effects.Count, answer.MoreEffects));
        Assert.All(answer.Effects, effect => Assert.False(effect.Breaks));
    }
}
