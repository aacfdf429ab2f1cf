using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Changes;

/// <summary>What is applied is what was planned: all of it, once, and nothing that moved meanwhile.</summary>
public sealed class ApplyPlanTests(ControlFixture fixture) : IClassFixture<ControlFixture>, IAsyncLifetime
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private ChangeService.ChangeServiceClient Changes => new(fixture.Host.Channel());

    public async ValueTask InitializeAsync() => await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task A_set_is_created_rebound_and_set_back_in_one_call_and_the_same_again_has_nothing_to_do()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "one", "0 2 * * *", "alerts: [{ channel: \"slack:#a\", severity: high }]\nsla: { freshness: 24h }");
        var tweaked = await fixture.Host.CreateSimpleAsync(Token, "two");
        await fixture.Host.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = tweaked.BindingId, ScheduleCron = "30 2 * * *" }, cancellationToken: Token);
        var set = Set([SampleTexts.Simple("one", "0 6 * * *", "dependencies: { signals: [eod] }\nsla: { latency: 10m }"), SampleTexts.Simple("two"), SampleTexts.Simple("three", more: "sla: { freshness: 24h }\nalerts: [{ channel: \"slack:#b\", severity: low }]")]);

        var applied = await ApplyAsync(set);

        Assert.Equal(["one rebound r2", "two updated r3", "three created r1"], applied.Jobs.Select(job => $"{job.JobId} {job.Outcome} {job.Etag}"));
        var jobs = (await fixture.Host.Jobs().ListJobsAsync(new ListJobsRequest { Tenant = "acme", Environment = "dev" }, cancellationToken: Token)).Jobs.ToDictionary(job => job.JobId);
        Assert.Equal(("0 6 * * *", 6, "r2"), (jobs["one"].ScheduleCron, jobs["one"].NextRunAt.ToDateTime().Hour, jobs["one"].Etag));
        Assert.Equal(("signal", "eod"), Assert.Single(jobs["one"].Dependencies) is var d ? (d.DepType, d.DepValue) : default);
        Assert.Empty(jobs["one"].Alerts);
        Assert.Equal(("*/15 * * * *", false), (jobs["two"].ScheduleCron, jobs["two"].ScheduleOverridden));
        Assert.Equal("slack:#b", Assert.Single(jobs["three"].Alerts).ChannelValue);
        Assert.NotNull(jobs["three"].NextRunAt);
        Assert.Equal(["latency"], await fixture.ListAsync("SELECT clock FROM kpi_sla_clock WHERE binding_id = @id", new { id = bound.BindingId }));
        Assert.Equal(2, await fixture.ScalarAsync<int>("SELECT count(*)::int FROM kpi_binding_revision WHERE binding_id = @id", new { id = bound.BindingId }));
        Assert.Equal(["Create", "Update"], await fixture.ListAsync("SELECT verb FROM kpi_audit WHERE object_kind = 'binding' AND object_id = @id ORDER BY audit_id", new { id = $"{bound.BindingId}" }));

        var again = await PlanAsync(set);
        Assert.All(again.Jobs, job => Assert.Equal("unchanged", job.Action));
        Assert.Equal((0, 3), await ApplyAsync(set) is var nothing ? (nothing.Jobs.Count, nothing.Unchanged) : default);
    }

    [Fact]
    public async Task What_moved_since_the_plan_is_named_and_nothing_is_applied()
    {
        await fixture.Host.CreateSimpleAsync(Token, "moved");
        var set = Set([SampleTexts.Simple("moved", "0 6 * * *"), SampleTexts.Simple("beside")]);
        var plan = await PlanAsync(set);
        await fixture.Host.Jobs().UpdateJobAsync(new UpdateJobRequest { Tenant = "acme", JobId = "moved", ScheduleCron = "0 5 * * *" }, cancellationToken: Token);
        var before = await fixture.FootprintAsync();

        var refused = await RefusedAsync(Applying(set, plan));
        Assert.Equal("PLAN_MOVED", refused.Info().Reason);
        Assert.Contains("moved is bound as r2, and was bound as r1", refused.Status.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("beside", refused.Status.Detail, StringComparison.Ordinal);
        var other = set.Clone();
        other.Artifacts[1].Content = SampleTexts.Simple("beside", "0 1 * * *");
        Assert.Contains("beside means something else than the artifact that was planned", (await RefusedAsync(Applying(other, plan))).Status.Detail, StringComparison.Ordinal);
        var bare = Applying(set, plan);
        bare.Planned = null;
        Assert.Contains((await PlanAsync(set)).Digest, (await RefusedAsync(bare)).Status.Detail, StringComparison.Ordinal);
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task One_that_is_invalid_keeps_all_from_being_applied_and_a_rehearsal_keeps_nothing()
    {
        var set = Set([SampleTexts.Simple("sound"), SampleTexts.Simple("fresh")]);
        var plan = await PlanAsync(set);
        var before = await fixture.FootprintAsync();

        var broken = Applying(set, plan);
        broken.Artifacts[1].Content = SampleTexts.Simple("fresh", "0 25 * * *");
        Assert.Equal("artifacts[1]/schedule/expression", Assert.Single((await RefusedAsync(broken)).Violations()).Field);
        var rehearsal = Applying(set, plan);
        rehearsal.ValidateOnly = true;
        Assert.All((await Changes.ApplyPlanAsync(rehearsal, cancellationToken: Token)).Jobs, job => Assert.Equal(("created", 0), (job.Outcome, job.BindingId)));
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task Of_two_that_apply_the_same_plan_at_once_one_does_and_with_one_request_id_both_are_told_the_same()
    {
        var set = Set([.. Enumerable.Range(0, 20).Select(i => SampleTexts.Simple($"raced_{i}"))]);
        var plan = await PlanAsync(set);
        var same = Applying(set, plan);
        same.RequestId = Guid.CreateVersion7().ToString();

        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ => await Changes.ApplyPlanAsync(same, cancellationToken: Token)));

        Assert.All(answers, answer => Assert.Equal(answers[0], answer));
        Assert.Equal(20, await fixture.ScalarAsync<int>("SELECT count(*)::int FROM kpi_job_binding WHERE job_id LIKE 'raced_%'"));
        Assert.Equal("PLAN_MOVED", (await RefusedAsync(Applying(set, plan))).Info().Reason);

        var other = Set([.. Enumerable.Range(0, 20).Select(i => SampleTexts.Simple($"raced_{i}", "0 4 * * *"))]);
        var next = await PlanAsync(other);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => OutcomeAsync(Applying(other, next))));
        Assert.Equal(["PLAN_MOVED", "PLAN_MOVED", "PLAN_MOVED", "applied"], outcomes.Order(StringComparer.Ordinal));
        Assert.Equal(20, await fixture.ScalarAsync<int>("SELECT count(*)::int FROM kpi_job_binding WHERE job_id LIKE 'raced_%' AND revision = 2"));
    }

    [Fact]
    public async Task What_another_source_takes_over_while_a_set_waits_for_it_is_not_pruned()
    {
        await ApplyAsync(Set([SampleTexts.Simple("kept"), SampleTexts.Simple("contested")], source: "ours"));
        var less = Set([SampleTexts.Simple("kept")], source: "ours");
        less.Prune = "remove";
        var plan = await PlanAsync(less);
        Assert.Equal("remove", plan.Jobs[^1].Action);

        await using var theirs = new Npgsql.NpgsqlConnection(fixture.Database.Superuser);
        await theirs.OpenAsync(Token);
        await using var taking = await theirs.BeginTransactionAsync(Token);
        await using (var take = new Npgsql.NpgsqlCommand("UPDATE kpi_job_binding SET source = 'theirs' WHERE job_id = 'contested'", theirs, taking))
            await take.ExecuteNonQueryAsync(Token);
        var waiting = OutcomeAsync(Applying(less, plan));
        await fixture.UntilSomebodyWaitsAsync();
        await taking.CommitAsync(Token);

        Assert.Equal("PLAN_MOVED", await waiting);
        Assert.True(await fixture.ScalarAsync<bool>("SELECT active_flag FROM kpi_job_binding WHERE job_id = 'contested'"));
    }

    [Fact]
    public async Task Who_applies_a_job_is_in_the_audit_trail()
    {
        await ApplyAsync(Set([SampleTexts.Simple("handed_on")], source: "first"));
        Assert.Equal("updated", Assert.Single((await ApplyAsync(Set([SampleTexts.Simple("handed_on")], source: "second"))).Jobs).Outcome);
        Assert.Equal(["first second"], await fixture.ListAsync(
            "SELECT concat_ws(' ', before ->> 'source', after ->> 'source') FROM kpi_audit WHERE object_kind = 'source' AND object_id = (SELECT binding_id::text FROM kpi_job_binding WHERE job_id = 'handed_on')"));
    }

    [Fact]
    public async Task A_removal_that_waits_ends_with_the_jobs_return_or_with_another_source()
    {
        const string More = "sla: { freshness: 24h }\nalerts: [{ channel: \"slack:#a\", severity: high }]";
        var whole = Set([SampleTexts.Simple("ret_a", more: More), SampleTexts.Simple("ret_b", more: More)], source: "ret", environment: "prod");
        foreach (var job in (await ApplyAsync(whole, "author")).Jobs)
            await ReleaseAsync(job.ChangeId);
        var less = whole.Clone();
        less.Artifacts.RemoveAt(1);
        less.Prune = "remove";

        var first = Assert.Single((await ApplyAsync(less, "author")).Jobs).ChangeId;
        Assert.Contains("which takes it away", Assert.Single((await PlanAsync(whole)).Jobs[1].Notes), StringComparison.Ordinal);
        await ApplyAsync(whole, "author");
        Assert.Equal("superseded", (await Changes.GetChangeAsync(new GetChangeRequest { ChangeId = first }, cancellationToken: Token)).State);

        var second = Assert.Single((await ApplyAsync(less, "author")).Jobs).ChangeId;
        await fixture.RunAsync("UPDATE kpi_job_binding SET source = 'somebody' WHERE job_id = 'ret_b'");
        var refused = await Assert.ThrowsAsync<RpcException>(() => ReleaseAsync(second));
        Assert.Equal("CHANGE_STALE", refused.Info().Reason);
        Assert.True(await fixture.ScalarAsync<bool>("SELECT active_flag FROM kpi_job_binding WHERE job_id = 'ret_b'"));
    }

    [Fact]
    public async Task Pruning_takes_away_only_what_the_same_source_applied_and_brings_it_back_with_its_artifact()
    {
        await fixture.Host.CreateSimpleAsync(Token, "by_hand");
        await ApplyAsync(Set([SampleTexts.Simple("elsewhere")], source: "other"));
        await ApplyAsync(Set([SampleTexts.Simple("stays"), SampleTexts.Simple("goes")], source: "git-main"));
        var less = Set([SampleTexts.Simple("stays")], source: "git-main");
        Assert.DoesNotContain((await PlanAsync(less)).Jobs, job => job.Action != "unchanged");
        less.Prune = "remove";

        var planned = (await PlanAsync(less)).Jobs[^1];
        Assert.Equal(("goes", "remove", -1), (planned.JobId, planned.Action, planned.Artifact));
        Assert.Equal(("/active_flag", "true", "false"), Assert.Single(planned.Differences) is var d ? (d.Path, d.Before, d.After) : default);
        Assert.All(planned.FireTimes, time => Assert.Equal("vanishes", time.Kind));
        Assert.Equal(["goes removed"], (await ApplyAsync(less)).Jobs.Select(job => $"{job.JobId} {job.Outcome}"));

        Assert.Equal(["by_hand -", "elsewhere -", "stays -"], (await ActiveAsync()).Intersect(["by_hand -", "elsewhere -", "stays -", "goes -"]));
        Assert.Equal(2, await fixture.ScalarAsync<int>("SELECT count(*)::int FROM kpi_binding_revision r JOIN kpi_job_binding USING (binding_id) WHERE job_id = 'goes'"));
        Assert.Equal("unchanged", Assert.Single((await PlanAsync(less)).Jobs).Action);
        var whole = Set([SampleTexts.Simple("stays"), SampleTexts.Simple("goes")], source: "git-main");
        Assert.Equal(["goes updated"], (await ApplyAsync(whole)).Jobs.Select(job => $"{job.JobId} {job.Outcome}"));
        Assert.Contains("goes -", await ActiveAsync());

        less.Prune = "pause";
        Assert.Equal(["goes paused"], (await ApplyAsync(less)).Jobs.Select(job => $"{job.JobId} {job.Outcome}"));
        Assert.Contains("goes paused", await ActiveAsync());
        Assert.Equal("unchanged", Assert.Single((await PlanAsync(less)).Jobs).Action);
        Assert.Contains((await PlanAsync(whole)).Jobs[1].Notes, note => note.Contains("paused", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_somebody_made_inactive_is_not_brought_back_and_a_job_changes_hands_with_a_warning()
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "retired");
        await fixture.Host.Jobs().UpdateJobAsync(new UpdateJobRequest { BindingId = bound.BindingId, ActiveFlag = false }, cancellationToken: Token);
        var set = Set([SampleTexts.Simple("retired")], source: "git-a");
        Assert.Equal(["retired updated r2"], (await ApplyAsync(set)).Jobs.Select(job => $"{job.JobId} {job.Outcome} {job.Etag}"));
        Assert.False((await fixture.Host.Jobs().GetJobAsync(new GetJobRequest { BindingId = bound.BindingId }, cancellationToken: Token)).ActiveFlag);

        set.Source = "git-b";
        Assert.Equal("plan.source", Assert.Single((await PlanAsync(set)).Jobs[0].Findings).Rule);
        await ApplyAsync(set);
        Assert.Equal("git-b", await fixture.ScalarAsync<string>("SELECT source FROM kpi_job_binding WHERE binding_id = @id", new { id = bound.BindingId }));
    }

    [Fact]
    public async Task Where_policy_asks_for_approval_everything_is_proposed_and_a_removal_is_agreed_to_like_any_change()
    {
        const string More = "sla: { freshness: 24h }\nalerts: [{ channel: \"slack:#a\", severity: high }]";
        var set = Set([SampleTexts.Simple("gov_a", more: More), SampleTexts.Simple("gov_b", more: More)], source: "git-main", environment: "prod");

        var proposed = await ApplyAsync(set, "author");

        Assert.All(proposed.Jobs, job => Assert.Equal("proposed", job.Outcome));
        Assert.Equal(proposed.Jobs.Select(job => job.ChangeId), (await ApplyAsync(set, "author")).Jobs.Select(job => job.ChangeId));
        foreach (var job in proposed.Jobs)
            await ReleaseAsync(job.ChangeId);
        Assert.Equal(["git-main", "git-main"], await fixture.ListAsync("SELECT source FROM kpi_job_binding WHERE environment = 'prod' AND job_id LIKE 'gov%' AND active_flag"));

        set.Artifacts.RemoveAt(1);
        set.Prune = "remove";
        Assert.Equal(["business business", "technical technical"], (await PlanAsync(set)).Jobs[^1].Required.Select(need => $"{need.Capacity} {need.Principal}"));
        var removal = Assert.Single((await ApplyAsync(set, "author")).Jobs);
        Assert.Equal(("gov_b", "proposed"), (removal.JobId, removal.Outcome));
        var change = await Changes.GetChangeAsync(new GetChangeRequest { ChangeId = removal.ChangeId }, cancellationToken: Token);
        Assert.Equal(("remove", "/active_flag"), (change.Kind, Assert.Single(change.Differences).Path));
        await ReleaseAsync(removal.ChangeId);
        Assert.False(await fixture.ScalarAsync<bool>("SELECT active_flag FROM kpi_job_binding WHERE environment = 'prod' AND job_id = 'gov_b'"));

        // And back, by the same way; whoever agrees is shown that it will run again.
        set.Artifacts.Add(new PlanArtifact { Content = SampleTexts.Simple("gov_b", more: More) });
        var back = Assert.Single((await ApplyAsync(set, "author")).Jobs).ChangeId;
        Assert.Equal("/active_flag false true", Assert.Single((await Changes.GetChangeAsync(new GetChangeRequest { ChangeId = back }, cancellationToken: Token)).Differences) is var d ? $"{d.Path} {d.Before} {d.After}" : "");
        await ReleaseAsync(back);
        Assert.True(await fixture.ScalarAsync<bool>("SELECT active_flag FROM kpi_job_binding WHERE environment = 'prod' AND job_id = 'gov_b'"));
    }

    [Fact]
    public async Task A_viewer_plans_and_does_not_apply_and_an_author_does_not_pause()
    {
        await ApplyAsync(Set([SampleTexts.Simple("mine"), SampleTexts.Simple("mine_2")], source: "roles"));
        var set = Set([SampleTexts.Simple("mine")], source: "roles");
        set.Prune = "pause";
        var plan = await PlanAsync(set);
        Assert.Equal(StatusCode.PermissionDenied, (await RefusedAsync(Applying(set, plan), "viewer")).StatusCode);
        Assert.Equal(StatusCode.PermissionDenied, (await RefusedAsync(Applying(set, plan), "author")).StatusCode);
        Assert.Equal("paused", Assert.Single((await Of("publisher").ApplyPlanAsync(Applying(set, plan), cancellationToken: Token)).Jobs).Outcome);
    }

    private async Task<IReadOnlyList<string>> ActiveAsync() => await fixture.ListAsync(
        "SELECT job_id || CASE WHEN paused_until > now() THEN ' paused' ELSE ' -' END FROM kpi_job_binding JOIN kpi_job_runtime USING (binding_id) WHERE active_flag ORDER BY job_id");

    private async Task ReleaseAsync(long changeId)
    {
        var change = await Changes.GetChangeAsync(new GetChangeRequest { ChangeId = changeId }, cancellationToken: Token);
        foreach (var capacity in new[] { "business", "technical" })
            await new ChangeService.ChangeServiceClient(fixture.Host.Channel(fixture.Issuer.PersonToken(capacity, $"acme/*/approver_{capacity}")))
                .ApproveChangeAsync(new DecideChangeRequest { ChangeId = changeId, Digest = change.Digest }, cancellationToken: Token);
        await Of("publisher").ApplyChangeAsync(new ApplyChangeRequest { ChangeId = changeId }, cancellationToken: Token);
    }

    private ChangeService.ChangeServiceClient Of(string role) => new(fixture.Host.Channel(fixture.Issuer.PersonToken($"a-{role}", $"acme/*/{role}")));

    private static PlanJobsRequest Set(string[] contents, string source = "", string environment = "") => new()
    {
        Source = source, Environment = environment, Artifacts = { contents.Select(content => new PlanArtifact { Content = content }) },
    };

    private async Task<Plan> PlanAsync(PlanJobsRequest set) => await Changes.PlanJobsAsync(set, cancellationToken: Token);

    private async Task<ApplyPlanResponse> ApplyAsync(PlanJobsRequest set, string? role = null)
    {
        var plan = await PlanAsync(set);
        Assert.DoesNotContain(plan.Jobs.SelectMany(job => job.Findings), finding => finding.Severity == "error");
        return await (role is null ? Changes : Of(role)).ApplyPlanAsync(Applying(set, plan), cancellationToken: Token);
    }

    private static ApplyPlanRequest Applying(PlanJobsRequest set, Plan plan) => new()
    {
        Tenant = set.Tenant, Environment = set.Environment, Region = set.Region, Source = set.Source, Prune = set.Prune, Artifacts = { set.Artifacts.Select(artifact => artifact.Clone()) },
        PlanDigest = plan.Digest, Planned = plan,
    };

    private async Task<string> OutcomeAsync(ApplyPlanRequest request)
    {
        try
        {
            await Changes.ApplyPlanAsync(request, cancellationToken: Token);
            return "applied";
        }
        catch (RpcException refused)
        {
            return refused.Info().Reason;
        }
    }

    private async Task<RpcException> RefusedAsync(ApplyPlanRequest request, string? role = null) => await Assert.ThrowsAsync<RpcException>(async () =>
        await (role is null ? Changes : Of(role)).ApplyPlanAsync(request, cancellationToken: Token));
}
