using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Catalog;

/// <summary>Contracts of raw and GDP tables in the catalogue, and what a job's validation makes of them.</summary>
public sealed class DatasetContractTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private CatalogService.CatalogServiceClient Catalog => fixture.Host.Catalog();

    [Fact]
    public async Task They_are_put_read_listed_and_moved_as_those_of_KPIs_are()
    {
        var put = await PutAsync("raw-invoices", text => text.Replace("RAW_Invoices", "RAW_Listed", StringComparison.Ordinal));
        var again = await PutAsync("raw-invoices", text => text.Replace("RAW_Invoices", "RAW_Listed", StringComparison.Ordinal) + "# a comment\n");
        var other = await Refusals.OfAsync(PutAsync("raw-invoices", text => text.Replace("RAW_Invoices", "RAW_Listed", StringComparison.Ordinal).Replace("sales.csv", "sold.csv", StringComparison.Ordinal)));
        var listed = await Catalog.ListContractsAsync(new ListContractsRequest { Tenant = "acme", ContractType = "raw", KpiId = "RAW_Listed" }, cancellationToken: Token);
        var moved = await Catalog.SetContractStatusAsync(new SetContractStatusRequest { Tenant = "acme", KpiId = "RAW_Listed", Version = "1.0.0", Status = "deprecated" }, cancellationToken: Token);

        Assert.Equal(put, again);
        Assert.Equal(("raw", "RAW_Listed", "1.0.0", "active", ""), (put.ContractType, put.KpiId, put.Version, put.Status, put.Grain));
        Assert.Equal("CONTRACT_IMMUTABLE", other.Info().Reason);
        Assert.Equal("RAW_Listed", Assert.Single(listed.Contracts).KpiId);
        Assert.Empty((await Catalog.ListContractsAsync(new ListContractsRequest { Tenant = "acme", ContractType = "kpi", KpiId = "RAW_Listed" }, cancellationToken: Token)).Contracts);
        Assert.Equal("deprecated", moved.Status);
    }

    [Fact]
    public async Task No_job_and_no_template_takes_a_table_for_a_KPI()
    {
        await PutAsync("gdp-invoices");
        var jobs = fixture.Host.Jobs();

        var answer = await jobs.ValidateJobAsync(new ValidateJobRequest { Content = Job("invoices_monthly").Replace("kpi_id: CFO-IN-01", "kpi_id: GDP_Invoices", StringComparison.Ordinal), Region = "eu" }, cancellationToken: Token);
        var rendered = await Refusals.OfAsync(Catalog.RenderTemplateAsync(new RenderTemplateRequest { Tenant = "acme", Template = "daily-kpi", KpiId = "GDP_Invoices", Version = "1.0.0" }, cancellationToken: Token));

        Assert.Contains(answer.Findings, one => one.Rule == "contract.unknown");
        Assert.Equal(StatusCode.InvalidArgument, rendered.StatusCode);
    }

    [Fact]
    public async Task A_table_is_published_by_whoever_may_where_jobs_may_run_by_it()
    {
        foreach (var file in new[] { "raw-invoices", "gdp-invoices", "cfo-in-01" })
            await PutAsync(file);
        await AgentAsync("agent-guarded", "ingestion,raw,gdp,kpi", "guarded");
        var load = Job("invoices_load").Replace("profile: raw_plus_gdp", "profile: raw_plus_gdp\n  conn_id: guarded", StringComparison.Ordinal).Replace("invoices_load", "guarded_load", StringComparison.Ordinal);
        await fixture.Host.Jobs().CreateJobAsync(new CreateJobRequest { Content = load, Region = "eu" }, cancellationToken: Token);
        var put = new PutContractRequest
        {
            Tenant = "acme",
            Content = File.ReadAllText(Repository.File("samples", "stages", "contracts", "gdp-invoices.yaml")).Replace("GDP_Invoices", "GDP_Guarded", StringComparison.Ordinal),
        };
        var inStgAlone = fixture.Host.Catalog(fixture.Issuer.PersonToken("stg-publisher", "acme/stg/publisher"));

        Assert.Equal(StatusCode.PermissionDenied, (await Refusals.OfAsync(inStgAlone.PutContractAsync(put, cancellationToken: Token))).StatusCode);
        Assert.Equal(StatusCode.NotFound, (await Refusals.OfAsync(Catalog.GetContractAsync(new GetContractRequest { Tenant = "acme", KpiId = "GDP_Guarded", Version = "1.0.0" }, cancellationToken: Token))).StatusCode);
        await Catalog.PutContractAsync(put, cancellationToken: Token);
    }

    [Fact]
    public async Task Stages_that_no_known_agent_executes_are_refused_and_those_that_one_does_are_bound()
    {
        foreach (var file in new[] { "raw-invoices", "gdp-invoices", "cfo-in-01" })
            await PutAsync(file);
        var jobs = fixture.Host.Jobs();
        // A connection of its own: agents of other tests are known in the region too.
        var load = Job("invoices_load").Replace("profile: raw_plus_gdp", "profile: raw_plus_gdp\n  conn_id: ledger", StringComparison.Ordinal);
        async Task<IEnumerable<string>> FoundAsync() => (await jobs.ValidateJobAsync(new ValidateJobRequest { Content = load, Region = "eu" }, cancellationToken: Token)).Findings.Select(one => $"{one.Rule} {one.Path}");

        var nobody = await FoundAsync();
        await AgentAsync("agent-http", "kpi");
        var without = await FoundAsync();
        await AgentAsync("agent-sql", "ingestion,raw,gdp,kpi");
        var with = await FoundAsync();
        var created = await jobs.CreateJobAsync(new CreateJobRequest { Content = load, Region = "eu" }, cancellationToken: Token);

        Assert.Equal(["unsupported.stages /run/profile"], nobody);
        Assert.Equal(["unsupported.stages /run/profile"], without);
        Assert.Empty(with);
        Assert.True(created.Created);
    }

    [Fact]
    public async Task A_table_without_an_active_contract_is_warned_of()
    {
        await PutAsync("cfo-in-01", text => text.Replace("GDP_Invoices", "GDP_Nowhere", StringComparison.Ordinal).Replace("CFO-IN-01", "CFO-IN-02", StringComparison.Ordinal));
        await AgentAsync("agent-warned", "ingestion,raw,gdp,kpi", "warned");

        var answer = await fixture.Host.Jobs().ValidateJobAsync(new ValidateJobRequest
        {
            Content = Job("invoices_load").Replace("CFO-IN-01", "CFO-IN-02", StringComparison.Ordinal).Replace("profile: raw_plus_gdp", "profile: raw_plus_gdp\n  conn_id: warned", StringComparison.Ordinal), Region = "eu",
        }, cancellationToken: Token);

        var finding = Assert.Single(answer.Findings);
        Assert.Equal("contract.no_dataset", finding.Rule);
        Assert.StartsWith("GDP_Nowhere has no active contract of type gdp", finding.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_change_of_a_job_that_builds_tables_goes_stale_by_the_contracts_of_these()
    {
        // Tables of their own: what is in force for a table is so for every test here.
        string Own(string text) => text.Replace("RAW_Invoices", "RAW_Signed", StringComparison.Ordinal).Replace("GDP_Invoices", "GDP_Signed", StringComparison.Ordinal).Replace("CFO-IN-01", "CFO-IN-03", StringComparison.Ordinal);
        foreach (var file in new[] { "raw-invoices", "gdp-invoices", "cfo-in-01" })
            await PutAsync(file, Own);
        await AgentAsync("agent-signed", "ingestion,raw,gdp,kpi", "signed");
        var changes = new ChangeService.ChangeServiceClient(fixture.Host.Channel());
        var proposal = new ProposeChangeRequest
        {
            Environment = "dev", Region = "eu",
            Content = Own(Job("invoices_load")).Replace("profile: raw_plus_gdp", "profile: raw_plus_gdp\n  conn_id: signed", StringComparison.Ordinal).Replace("invoices_load", "signed_load", StringComparison.Ordinal),
        };
        var change = await changes.ProposeChangeAsync(proposal, cancellationToken: Token);
        Assert.Equal(["gdp/GDP_Signed", "raw/RAW_Signed"], change.TableContracts.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(change.Digest, (await changes.ProposeChangeAsync(proposal, cancellationToken: Token)).Digest);

        // Of another table; then of the raw table that the GDP one is built from; then the newer version is there no more.
        await PutAsync("raw-invoices", text => text.Replace("RAW_Invoices", "RAW_Unsigned", StringComparison.Ordinal));
        Assert.Equal("approved", (await GetAsync(change.ChangeId)).State);
        await PutAsync("raw-invoices", text => Own(text).Replace("version: \"1.0.0\"", "version: \"1.1.0\"", StringComparison.Ordinal));
        Assert.Equal("stale", (await GetAsync(change.ChangeId)).State);
        var refused = await Refusals.OfAsync(changes.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = change.ChangeId }, cancellationToken: Token));
        Assert.Equal(("CHANGE_STALE", "Another contract is in force for raw/RAW_Signed since it was proposed, so what was agreed to is not what would be released; propose it again."), (refused.Info().Reason, refused.Status.Detail));
        await Catalog.SetContractStatusAsync(new SetContractStatusRequest { Tenant = "acme", KpiId = "RAW_Signed", Version = "1.1.0", Status = "retired" }, cancellationToken: Token);
        Assert.Equal("approved", (await GetAsync(change.ChangeId)).State);

        await PutAsync("gdp-invoices", text => Own(text).Replace("version: \"1.0.0\"", "version: \"1.1.0\"", StringComparison.Ordinal));
        var again = await changes.ProposeChangeAsync(proposal, cancellationToken: Token);
        Assert.NotEqual(change.TableContracts["gdp/GDP_Signed"], again.TableContracts["gdp/GDP_Signed"]);
        Assert.Equal("applied", (await changes.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = again.ChangeId }, cancellationToken: Token)).State);

        // The KPI alone is computed from whatever is there.
        var alone = await changes.ProposeChangeAsync(new ProposeChangeRequest { Environment = "dev", Region = "eu", Content = Own(Job("invoices_monthly")).Replace("invoices_monthly", "signed_monthly", StringComparison.Ordinal) }, cancellationToken: Token);
        Assert.Empty(alone.TableContracts);

        async Task<Change> GetAsync(long id) => await changes.GetChangeAsync(new GetChangeRequest { ChangeId = id }, cancellationToken: Token);
    }

    private AsyncUnaryCall<Contract> PutAsync(string file, Func<string, string>? edit = null)
    {
        var text = File.ReadAllText(Repository.File("samples", "stages", "contracts", $"{file}.yaml"));
        return Catalog.PutContractAsync(new PutContractRequest { Tenant = "acme", Content = edit?.Invoke(text) ?? text }, cancellationToken: Token);
    }

    private static string Job(string name) => File.ReadAllText(Repository.File("samples", "stages", "jobs", $"{name}.yaml"));

    // As the session of an agent leaves it.
    private Task AgentAsync(string agent, string stages, string connection = "ledger") => fixture.RunAsync("""
        WITH n AS (INSERT INTO kpi_node (name, generation, expires_at) VALUES (@agent, 1, now()) RETURNING node_id),
        s AS (INSERT INTO kpi_session (agent, instance, region, node_id, node_generation, generation, build, slots, connections, connection_stages, ended_at, end_reason)
              SELECT @agent, gen_random_uuid(), 'eu', node_id, 1, 1, 'test', 1, jsonb_build_object(@connection, 'sql'), jsonb_build_object(@connection, @stages), now(), 'stopped' FROM n RETURNING session_id)
        INSERT INTO kpi_session_tenant SELECT session_id, 'acme' FROM s
        """, new { agent, stages, connection });
}
