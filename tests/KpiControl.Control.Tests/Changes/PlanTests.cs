using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Changes;

/// <summary>What applying a set would do, beside what is bound; and that looking changes nothing.</summary>
public sealed class PlanTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private ChangeService.ChangeServiceClient Changes => new(fixture.Host.Channel());

    [Fact]
    public async Task Each_job_of_a_set_is_new_changed_or_as_it_is_and_nothing_is_written()
    {
        // Between the two hours the first of them would have passed, and the first of the other's would appear.
        var (early, late) = ByTheClock.HoursOfOneDay;
        var kept = await fixture.Host.CreateSimpleAsync(Token, "kept");
        var changed = await fixture.Host.CreateSimpleAsync(Token, "changed", $"0 {early} * * *", "sla: { freshness: 24h }");
        var before = await fixture.FootprintAsync();

        var plan = await PlanAsync([SampleTexts.Simple("kept"), SampleTexts.Simple("changed", $"0 {late} * * *", "sla: { freshness: 12h }"), SampleTexts.Simple("fresh")]);

        Assert.Equal(["kept unchanged", "changed rebind", "fresh create"], plan.Jobs.Select(job => $"{job.JobId} {job.Action}"));
        Assert.Equal((1, 1, 1, 0, 0), (plan.Counts["unchanged"], plan.Counts["rebind"], plan.Counts["create"], plan.Counts["remove"], plan.Counts["invalid"]));
        var rebind = plan.Jobs[1];
        Assert.Equal((changed.BindingId, "r1", changed.ContentHash, "eu"), (rebind.BindingId, rebind.BaseEtag, rebind.BaseContentHash, rebind.Region));
        Assert.Equal([("/schedule/expression", $"\"0 {early} * * *\"", $"\"0 {late} * * *\""), ("/sla/freshness", "\"1d\"", "\"12h\"")], rebind.Differences.Select(d => (d.Path, d.Before, d.After)));
        Assert.Equal(["moves", "moves", "moves", "moves", "moves"], rebind.FireTimes.Select(time => time.Kind));
        Assert.Equal((early, late), (rebind.FireTimes[0].Before.ToDateTime().Hour, rebind.FireTimes[0].After.ToDateTime().Hour));
        Assert.Equal(("tightened", "/sla/freshness"), Assert.Single(rebind.Effects) is var effect ? (effect.Kind, effect.Path) : default);
        Assert.Empty(rebind.Breaking);
        Assert.Empty(rebind.Required);
        Assert.Equal(5, plan.Jobs[2].FireTimes.Count(time => time.Kind == "appears"));
        Assert.Equal(kept.BindingId, plan.Jobs[0].BindingId);
        Assert.Matches("^sha256:[0-9a-f]{64}$", plan.Digest);
        Assert.False(plan.NeedsApproval);
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task The_digest_is_of_what_is_bound_and_what_would_be_and_of_nothing_else()
    {
        await fixture.Host.CreateSimpleAsync(Token, "digested");
        string[] set = [SampleTexts.Simple("digested", "0 6 * * *"), SampleTexts.Simple("digested_2")];
        var first = (await PlanAsync(set)).Digest;

        Assert.Equal(first, (await PlanAsync([set[1], "# the same\n" + set[0]])).Digest);
        Assert.NotEqual(first, (await PlanAsync([SampleTexts.Simple("digested", "0 7 * * *"), set[1]])).Digest);
        Assert.NotEqual(first, (await PlanAsync(set[..1])).Digest);
        await fixture.Host.Jobs().UpdateJobAsync(new UpdateJobRequest { Tenant = "acme", JobId = "digested", ScheduleCron = "0 5 * * *" }, cancellationToken: Token);
        Assert.NotEqual(first, (await PlanAsync(set)).Digest);
    }

    [Fact]
    public async Task What_stands_over_a_definition_is_set_back_and_a_pause_stays()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "tweaked");
        await fixture.Host.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = bound.BindingId, Timezone = "Europe/Berlin", ScheduleCron = "30 2 * * *" }, cancellationToken: Token);
        await fixture.Host.Jobs().PauseJobAsync(new PauseJobRequest { BindingId = bound.BindingId }, cancellationToken: Token);

        var job = Assert.Single((await PlanAsync([SampleTexts.Simple("tweaked")])).Jobs);

        Assert.Equal("update", job.Action);
        Assert.Equal([("/schedule/expression", "\"30 2 * * *\"", "\"*/15 * * * *\""), ("/schedule/timezone", "\"Europe/Berlin\"", "\"UTC\"")], job.Differences.Select(d => (d.Path, d.Before, d.After)));
        Assert.Contains(job.Notes, note => note.Contains("paused", StringComparison.Ordinal));
        Assert.Contains(job.FireTimes, time => time.Kind == "appears");
    }

    [Fact]
    public async Task A_clock_change_shows_what_it_does_to_the_schedule_that_would_be_in_force()
    {
        await fixture.Host.CreateSimpleAsync(Token, "clocked", "0 4 * * *");

        var job = Assert.Single((await PlanAsync([SampleTexts.Simple("clocked", "30 2 * * *").Replace("timezone: UTC", "timezone: Europe/Berlin", StringComparison.Ordinal)])).Jobs);

        Assert.Equal("breaking.timezone", Assert.Single(job.Breaking).Rule);
        Assert.Equal("Europe/Berlin", job.ClockChange.Timezone);
        var isSpring = job.ClockChange.OffsetAfter == "+02:00";
        Assert.Equal(isSpring ? ["moves"] : [], job.ClockChange.Effects.Select(effect => effect.Kind));
        Assert.Contains(job.ClockChange.FireTimes, time => time.Kind == "moves");
    }

    [Fact]
    public async Task Whoever_waits_for_a_kpi_is_named_and_one_that_nobody_would_compute_breaks_them()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract("1.1.0"), Token);
        foreach (var kpi in new[] { "T-MIDDLE", "T-TOP" })
            await fixture.Host.PutContractAsync(SampleTexts.SimpleContract().Replace("T-SIMPLE", kpi, StringComparison.Ordinal), Token);
        string Waits(string job, string kpi, string on) => SampleTexts.Simple(job, more: $"dependencies: {{ kpis: [ {{ kpi_id: {on}, contract_version: 1.0.0 }} ] }}").Replace("kpi_id: T-SIMPLE\ncontract", $"kpi_id: {kpi}\ncontract", StringComparison.Ordinal);
        var us = new CreateJobRequest { Region = "us" };
        foreach (var content in new[] { SampleTexts.Simple("ground"), Waits("middle", "T-MIDDLE", "T-SIMPLE"), Waits("top", "T-TOP", "T-MIDDLE") })
            await fixture.Host.Jobs().CreateJobAsync(new CreateJobRequest(us) { Content = content }, cancellationToken: Token);
        var next = SampleTexts.Simple("ground").Replace("contract_version: 1.0.0", "contract_version: 1.1.0", StringComparison.Ordinal);

        var alone = Assert.Single((await PlanAsync([next])).Jobs);

        Assert.Equal(["T-MIDDLE@1.0.0", "T-TOP@1.0.0"], alone.Downstream);
        Assert.Equal("breaking.orphans_dependents", Assert.Single(alone.Breaking).Rule);
        // Where the dependent follows in the same set, or another job computes what is left, nothing breaks.
        var follows = Waits("middle", "T-MIDDLE", "T-SIMPLE").Replace("T-SIMPLE, contract_version: 1.0.0", "T-SIMPLE, contract_version: 1.1.0", StringComparison.Ordinal);
        Assert.Empty((await PlanAsync([next, follows])).Jobs[0].Breaking);
        Assert.Empty((await PlanAsync([next, SampleTexts.Simple("second")], region: "us")).Jobs[0].Breaking);
        // A new job of a KPI that waits for one which comes with it misses nothing.
        Assert.DoesNotContain((await PlanAsync([next, follows])).Jobs[1].Findings, finding => finding.Rule.StartsWith("graph.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Where_policy_asks_for_approval_the_owners_of_what_is_bound_and_the_new_ones_are_named()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        const string More = "sla: { freshness: 24h }\nalerts: [{ channel: \"slack:#a\", severity: high }]\nowners: { business: heir }";

        var plan = await PlanAsync([SampleTexts.Simple("governed", more: More)], "prod");

        Assert.True(plan.NeedsApproval);
        Assert.Equal(["business business", "business heir", "technical technical"], plan.Jobs[0].Required.Select(need => $"{need.Capacity} {need.Principal}"));
    }

    [Fact]
    public async Task What_is_wrong_is_a_finding_of_its_artifact_and_the_plan_has_no_digest()
    {
        await fixture.Host.CreateSimpleAsync(Token, "sound");

        var plan = await PlanAsync([SampleTexts.Simple("sound"), SampleTexts.Simple("twice"), SampleTexts.Simple("twice", "0 1 * * *"), "job_id: [", SampleTexts.Simple("other").Replace("acme", "globex", StringComparison.Ordinal),
            SampleTexts.Simple("late", "0 25 * * *")]);

        Assert.Equal("", plan.Digest);
        Assert.Equal(["unchanged", "invalid", "invalid", "invalid", "invalid", "invalid"], plan.Jobs.Select(job => job.Action));
        Assert.Equal("plan.twice", Assert.Single(plan.Jobs[1].Findings).Rule);
        Assert.Contains(plan.Jobs[4].Findings, finding => finding.Rule == "plan.tenant");
        Assert.Equal(5, plan.Jobs[5].Findings[0].Line);
        Assert.Equal("plan.region", Assert.Single(Assert.Single((await PlanAsync([SampleTexts.Simple("sound")], region: "us")).Jobs).Findings).Rule);
    }

    [Fact]
    public async Task A_plan_of_nothing_of_another_tenant_or_of_too_much_is_refused()
    {
        async Task<RpcException> Refused(PlanJobsRequest request, string? token = null) => await Assert.ThrowsAsync<RpcException>(async () =>
            await new ChangeService.ChangeServiceClient(fixture.Host.Channel(token)).PlanJobsAsync(request, cancellationToken: Token));
        Assert.Equal("artifacts", Assert.Single((await Refused(new PlanJobsRequest { Tenant = "acme" })).Violations()).Field);
        Assert.Equal("artifacts", Assert.Single((await Refused(new PlanJobsRequest { Tenant = "acme", Source = "git", Prune = "remove" })).Violations()).Field);
        var one = new PlanArtifact { Content = SampleTexts.Simple() };
        Assert.Equal("source", Assert.Single((await Refused(new PlanJobsRequest { Artifacts = { one }, Prune = "pause" })).Violations()).Field);
        Assert.Equal("source", Assert.Single((await Refused(new PlanJobsRequest { Artifacts = { one }, Source = "Ünfug" })).Violations()).Field);
        Assert.Equal("prune", Assert.Single((await Refused(new PlanJobsRequest { Artifacts = { one }, Source = "git", Prune = "delete" })).Violations()).Field);
        Assert.Equal("artifacts", Assert.Single((await Refused(new PlanJobsRequest { Artifacts = { Enumerable.Repeat(one, 2001) } })).Violations()).Field);
        Assert.Equal("tenant", Assert.Single((await Refused(new PlanJobsRequest { Artifacts = { new PlanArtifact { Content = "[" } } })).Violations()).Field);
        Assert.Equal(StatusCode.NotFound, (await Refused(new PlanJobsRequest { Artifacts = { one } }, fixture.Issuer.PersonToken("ada", "globex/*/author"))).StatusCode);
    }

    private async Task<Plan> PlanAsync(string[] contents, string environment = "", string region = "") => await Changes.PlanJobsAsync(new PlanJobsRequest
    {
        Environment = environment, Region = region, Artifacts = { contents.Select(content => new PlanArtifact { Content = content }) },
    }, cancellationToken: Token);
}
