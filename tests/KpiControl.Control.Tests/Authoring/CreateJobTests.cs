using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Authoring;

public sealed class CreateJobTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private JobService.JobServiceClient Jobs => fixture.Host.Jobs();

    [Fact]
    public async Task The_specifications_example_is_bound_as_it_stands_and_again_it_is_the_same()
    {
        await fixture.Host.PutContractAsync(SampleTexts.Contract("cfo-ef-02.yaml"), Token);
        var request = new CreateJobRequest { Content = SampleTexts.DsoDaily };

        var first = await Jobs.CreateJobAsync(request, cancellationToken: Token);
        var again = await Jobs.CreateJobAsync(request, cancellationToken: Token);

        Assert.True(first.Created);
        Assert.False(again.Created);
        Assert.Equal((first.BindingId, first.DefId, first.ContentHash), (again.BindingId, again.DefId, again.ContentHash));
        Assert.Equal(("acme", "dev", "eu", "r1"), (first.Tenant, first.Environment, first.Region, first.Etag));
        var job = await Jobs.GetJobAsync(new GetJobRequest { Tenant = "acme", JobId = "dso_daily" }, cancellationToken: Token);
        Assert.Equal(SampleTexts.DsoDaily, job.Content);
        Assert.Equal("0 2 * * *", job.ScheduleCron);
        Assert.Equal(first.NextRunAt, job.NextRunAt);
        Assert.Equal(2, job.NextRunAt.ToDateTimeOffset().Hour);
        Assert.Equal(["gdp GDP_Receivables", "gdp GDP_Sales", "signal erp_eod_sync"], job.Dependencies.Select(d => $"{d.DepType} {d.DepValue}"));
        Assert.Equal(("slack", "slack:#kpi-alerts", "high"), (job.Alerts[0].ChannelType, job.Alerts[0].ChannelValue, job.Alerts[0].Severity));
        Assert.Equal("pass", job.SlaState);
        Assert.Equal("eu 3", await fixture.ScalarAsync<string>(
            "SELECT region || ' ' || priority FROM kpi_lane JOIN kpi_job_runtime USING (lane) WHERE binding_id = @id", new { id = first.BindingId }));
        Assert.Equal(["admin@acme.example Create binding"], await fixture.ListAsync(
            "SELECT concat_ws(' ', actor, verb, object_kind) FROM kpi_audit JOIN kpi_chained ON kind = 'a' AND id = audit_id WHERE object_id = @id AND object_kind = 'binding'",
            new { id = $"{first.BindingId}" }));
    }

    [Fact]
    public async Task Twenty_racing_posts_make_one_binding_and_answer_its_ids()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var clients = Enumerable.Range(0, 4).Select(_ => fixture.Host.Jobs()).ToList();

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i =>
            clients[i % 4].CreateJobAsync(new CreateJobRequest { Content = SampleTexts.Simple("raced") }, cancellationToken: Token).ResponseAsync));

        Assert.Single(answers.Select(a => (a.BindingId, a.DefId)).Distinct());
        Assert.Single(answers, a => a.Created);
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT count(*) FROM kpi_audit WHERE verb = 'Create' AND object_id = @id", new { id = $"{answers[0].BindingId}" }));
    }

    [Theory]
    [InlineData("1 2 * * *", "")]
    [InlineData("*/15 * * * *", "us")]
    public async Task Another_hash_or_region_names_the_binding_that_is_there(string cron, string region)
    {
        var bound = await fixture.Host.CreateSimpleAsync(Token, "taken");

        var refused = await Refusals.OfAsync(Jobs.CreateJobAsync(new CreateJobRequest { Content = SampleTexts.Simple("taken", cron), Region = region }, cancellationToken: Token));

        Assert.Equal(StatusCode.AlreadyExists, refused.StatusCode);
        Assert.Equal($"{bound.BindingId}", refused.Info().Metadata["binding_id"]);
    }

    [Fact]
    public async Task Every_finding_comes_at_once_with_line_and_column_and_nothing_is_stored()
    {
        await fixture.Host.PutContractAsync(SampleTexts.Contract("cfo-ef-02.yaml"), Token);
        var before = await fixture.FootprintAsync();
        var bad = SampleTexts.DsoDaily.Replace("MoM", "WoW").Replace("ledger_type", "ledger").Replace("gdp: [GDP_Receivables, GDP_Sales]", "gdp: [GDP_Receivables]");

        var refused = await Refusals.OfAsync(Jobs.CreateJobAsync(new CreateJobRequest { Content = bad, Region = "mars" }, cancellationToken: Token));

        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        var violations = refused.Violations();
        Assert.Contains(violations, v => v.Reason == "contract.extension" && v.Field == "/runtime/extensions/time/0" && v.Description.StartsWith("line 2", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.Reason == "contract.missing_dependency" && v.Description.Contains("GDP_Sales"));
        Assert.Contains(violations, v => v.Reason == "policy.region" && v.Description.Contains("mars"));
        Assert.Contains(violations, v => v.Field.StartsWith("/runtime/filters/0", StringComparison.Ordinal));
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task A_mistake_in_one_stage_hides_none_of_another()
    {
        await fixture.Host.PutContractAsync(SampleTexts.Contract("cfo-ef-02.yaml"), Token);
        var bad = SampleTexts.DsoDaily.Replace("0 2 * * *", "0 25 * * *").Replace("MoM", "WoW").Replace("max_retries", "max_retrys");

        var refused = await Refusals.OfAsync(Jobs.CreateJobAsync(new CreateJobRequest { Content = bad, Region = "mars" }, cancellationToken: Token));

        Assert.Equal(["schema.unknown_field", "meaning.cron", "contract.extension", "policy.region"], refused.Violations().Select(v => v.Reason));
        Assert.All(refused.Violations().SkipLast(1), v => Assert.StartsWith("line ", v.Description));
        Assert.Equal("region", refused.Violations()[^1].Field);
        Assert.Equal(StatusCode.NotFound, (await Refusals.OfAsync(Jobs.CreateJobAsync(
            new CreateJobRequest { Content = bad.Replace("tenant: acme", "tenant: globex") }, cancellationToken: Token))).StatusCode);
    }

    [Theory]
    [InlineData("job_id: [", "syntax.")]
    [InlineData("{}", "schema.")]
    [InlineData("a: &x 1\nb: *x", "syntax.")]
    public async Task Text_that_is_no_artifact_is_refused_with_its_place(string text, string stage)
    {
        var refused = await Refusals.OfAsync(Jobs.CreateJobAsync(new CreateJobRequest { Content = text }, cancellationToken: Token));

        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.All(refused.Violations(), v => Assert.StartsWith("line ", v.Description));
        Assert.Contains(refused.Violations(), v => v.Reason.StartsWith(stage, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("environment", "qa", "", "")]
    [InlineData("format", "", "toml", "")]
    [InlineData("request_id", "", "", "yesterday")]
    public async Task A_bad_field_is_named(string field, string environment, string format, string requestId)
    {
        var refused = await Refusals.OfAsync(Jobs.CreateJobAsync(
            new CreateJobRequest { Content = SampleTexts.Simple(), Environment = environment, Format = format, RequestId = requestId }, cancellationToken: Token));

        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Equal(field, Assert.Single(refused.Violations()).Field);
    }

    [Fact]
    public async Task Another_tenants_artifact_and_one_of_no_tenant_are_refused_in_the_same_words()
    {
        string Of(string tenant) => SampleTexts.Simple().Replace("tenant: acme", $"tenant: {tenant}");

        var foreign = await Refusals.OfAsync(Jobs.CreateJobAsync(new CreateJobRequest { Content = Of("globex") }, cancellationToken: Token));
        var absent = await Refusals.OfAsync(Jobs.CreateJobAsync(new CreateJobRequest { Content = Of("nobody") }, cancellationToken: Token));

        Assert.Equal(StatusCode.NotFound, foreign.StatusCode);
        Assert.Equal(foreign.Status.Detail.Replace("globex", "nobody"), absent.Status.Detail);
    }

    [Fact]
    public async Task A_tenant_without_a_home_region_must_name_one()
    {
        var token = fixture.Issuer.PersonToken("a@initech.example", "initech/*/admin");
        await fixture.Host.Catalog(token).PutContractAsync(new PutContractRequest { Content = SampleTexts.SimpleContract() }, cancellationToken: Token);
        var content = SampleTexts.Simple("homeless").Replace("tenant: acme", "tenant: initech");

        var refused = await Refusals.OfAsync(fixture.Host.Jobs(token).CreateJobAsync(new CreateJobRequest { Content = content }, cancellationToken: Token));
        var named = await fixture.Host.Jobs(token).CreateJobAsync(new CreateJobRequest { Content = content, Region = "eu" }, cancellationToken: Token);

        Assert.Equal("policy.region", Assert.Single(refused.Violations()).Reason);
        Assert.Equal("eu", named.Region);
    }

    [Fact]
    public async Task Validate_only_fails_like_the_real_call_and_changes_nothing()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var before = await fixture.FootprintAsync();

        var rehearsed = await Jobs.CreateJobAsync(new CreateJobRequest { Content = SampleTexts.Simple("rehearsed"), ValidateOnly = true }, cancellationToken: Token);
        var refused = await Refusals.OfAsync(Jobs.CreateJobAsync(new CreateJobRequest { Content = "{}", ValidateOnly = true }, cancellationToken: Token));

        Assert.True(rehearsed.Created);
        Assert.Equal(0, rehearsed.BindingId);
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task One_request_id_happens_once_however_often_it_is_sent_and_another_body_is_refused()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var id = Guid.CreateVersion7().ToString();
        var request = new CreateJobRequest { Content = SampleTexts.Simple("once"), RequestId = id };

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Jobs.CreateJobAsync(request, cancellationToken: Token).ResponseAsync));
        var other = await Refusals.OfAsync(Jobs.CreateJobAsync(new CreateJobRequest { Content = SampleTexts.Simple("twice"), RequestId = id }, cancellationToken: Token));

        // Replayed, not repeated: a repetition would say that it created nothing.
        Assert.All(answers, answer => Assert.True(answer.Created));
        Assert.Single(answers.Select(a => a.BindingId).Distinct());
        Assert.Equal((StatusCode.FailedPrecondition, "REQUEST_ID_REUSED"), (other.StatusCode, other.Info().Reason));
    }

    [Fact]
    public async Task A_cycle_through_kpis_is_found()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract("2.0.0", dependencies: "[\"T-OTHER@1.0.0\"]").Replace("contract_type", "layer: secondary\n  contract_type"), Token);
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract("1.0.0", dependencies: "[\"T-SIMPLE@2.0.0\"]").Replace("T-SIMPLE\n", "T-OTHER\n").Replace("contract_type", "layer: secondary\n  contract_type"), Token);
        string Job(string id, string kpi, string version, string on, string onVersion) =>
            SampleTexts.Simple(id, more: $"dependencies: {{ kpis: [ {{ kpi_id: {on}, contract_version: {onVersion} }} ] }}").Replace("T-SIMPLE\n", kpi + "\n").Replace("contract_version: 1.0.0\n", $"contract_version: {version}\n");
        await Jobs.CreateJobAsync(new CreateJobRequest { Content = Job("half_one", "T-SIMPLE", "2.0.0", "T-OTHER", "1.0.0") }, cancellationToken: Token);

        var refused = await Refusals.OfAsync(Jobs.CreateJobAsync(new CreateJobRequest { Content = Job("half_two", "T-OTHER", "1.0.0", "T-SIMPLE", "2.0.0") }, cancellationToken: Token));

        Assert.Equal("graph.cycle", Assert.Single(refused.Violations()).Reason);
    }

    [Fact]
    public async Task A_kpi_that_no_contract_has_is_refused_and_one_that_no_job_computes_is_told()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract("4.0.0"), Token);
        static string Job(string version) => SampleTexts.Simple("names_kpis", more: $"dependencies: {{ kpis: [ {{ kpi_id: T-SIMPLE, contract_version: {version} }} ] }}");

        var refused = await Refusals.OfAsync(Jobs.CreateJobAsync(new CreateJobRequest { Content = Job("9.9.9") }, cancellationToken: Token));
        var bound = await Jobs.CreateJobAsync(new CreateJobRequest { Content = Job("4.0.0") }, cancellationToken: Token);
        await Jobs.CreateJobAsync(new CreateJobRequest { Content = SampleTexts.Simple("computes_it").Replace("contract_version: 1.0.0", "contract_version: 4.0.0") }, cancellationToken: Token);
        var again = await Jobs.CreateJobAsync(new CreateJobRequest { Content = Job("4.0.0") }, cancellationToken: Token);

        Assert.Equal(("graph.unknown_kpi", "/dependencies/kpis"), (Assert.Single(refused.Violations()).Reason, refused.Violations()[0].Field));
        Assert.Equal(("graph.unbound_kpi", "warning"), (Assert.Single(bound.Findings).Rule, bound.Findings[0].Severity));
        Assert.Empty(again.Findings);
    }

    [Fact]
    public async Task A_table_or_signal_that_nobody_knows_is_told_until_somebody_does()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(dependencies: "[GDP_Known]", version: "5.0.0"), Token);
        var job = SampleTexts.Simple("names", more: "dependencies: { gdp: [GDP_Known, GDP_Knwon], signals: [closed] }").Replace("contract_version: 1.0.0", "contract_version: 5.0.0");

        var bound = await Jobs.CreateJobAsync(new CreateJobRequest { Content = job }, cancellationToken: Token);
        await fixture.RunAsync("""
            INSERT INTO kpi_signal (tenant_id, environment, name, published_by) VALUES ('acme', 'dev', 'closed', 'a test');
            INSERT INTO kpi_refresh (tenant_id, environment, dataset, data_through, source_run, published_by) VALUES ('acme', 'dev', 'GDP_Knwon', now(), '1', 'a test')
            """, new { });
        var again = await Jobs.CreateJobAsync(new CreateJobRequest { Content = job }, cancellationToken: Token);

        Assert.Equal(["graph.unknown_gdp Did you mean GDP_Known?", "graph.unknown_signal"], bound.Findings.Select(f => f.Rule == "graph.unknown_gdp" ? $"{f.Rule} {f.Hint}" : f.Rule));
        Assert.All(bound.Findings, f => Assert.Equal(("warning", true), (f.Severity, f.Line > 0)));
        Assert.Empty(again.Findings);
    }

    [Fact]
    public async Task Who_may_read_and_not_create_is_told_the_verb()
    {
        var refused = await Refusals.OfAsync(fixture.Host.Jobs(fixture.Issuer.PersonToken("v", "acme/*/viewer", "globex/*/admin"))
            .CreateJobAsync(new CreateJobRequest { Content = SampleTexts.Simple() }, cancellationToken: Token));

        Assert.Equal((StatusCode.PermissionDenied, "Create"), (refused.StatusCode, refused.Info().Metadata["verb"]));
    }
}
