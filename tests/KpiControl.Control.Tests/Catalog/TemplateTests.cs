using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using KpiControl.Jobs.Templates;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Catalog;

public sealed class TemplateTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private CatalogService.CatalogServiceClient Catalog => fixture.Host.Catalog();

    public static TheoryData<string> Names => [.. JobTemplate.All.Select(template => template.Name)];

    private static RenderTemplateRequest Ask(string template = "daily-kpi", params (string Name, string Value)[] values)
    {
        var request = new RenderTemplateRequest { Tenant = "acme", Template = template, KpiId = "CFO-EF-02", Version = "1.1.0" };
        foreach (var (name, value) in values)
            request.Values[name] = value;
        return request;
    }

    private async Task PutSamplesAsync()
    {
        foreach (var file in Directory.GetFiles(Repository.File("samples", "contracts"), "*.yaml"))
            await fixture.Host.PutContractAsync(await File.ReadAllTextAsync(file, Token), Token);
    }

    [Fact]
    public async Task The_list_tells_what_each_template_asks_for()
    {
        var listed = (await Catalog.ListTemplatesAsync(new ListTemplatesRequest(), cancellationToken: Token)).Templates;

        Assert.Equal(["composite-index", "daily-kpi", "event-driven", "period-close", "real-time-micro-batch"], listed.Select(template => template.Name));
        Assert.All(listed, template => Assert.True(template is { Description.Length: > 0, Parameters.Count: > 0 } && template.Parameters.All(parameter => parameter.Description.Length > 0)));
        var close = listed.Single(template => template.Name == "period-close").Parameters.ToDictionary(parameter => parameter.Name);
        Assert.Equal(("integer", "13", false), (close["periods"].Type, close["periods"].DefaultValue, close["periods"].Required));
        Assert.Equal(("text", "", true), (close["tenant"].Type, close["tenant"].DefaultValue, close["tenant"].Required));
    }

    [Theory, MemberData(nameof(Names))]
    public async Task What_it_makes_of_every_sample_contract_is_bound_without_a_change(string template)
    {
        await PutSamplesAsync();
        var before = await fixture.FootprintAsync();
        foreach (var contract in (await Catalog.ListContractsAsync(new ListContractsRequest { Tenant = "acme" }, cancellationToken: Token)).Contracts)
        {
            var made = await Catalog.RenderTemplateAsync(new RenderTemplateRequest { Tenant = "acme", Template = template, KpiId = contract.KpiId, Version = contract.Version }, cancellationToken: Token);

            var validated = await fixture.Host.Jobs().ValidateJobAsync(new ValidateJobRequest { Content = made.Content, Format = made.Format }, cancellationToken: Token);
            Assert.True(validated.Valid, $"{template} of {contract.KpiId}@{contract.Version}:\n{string.Join('\n', validated.Findings)}\n{made.Content}");
            Assert.Equal((validated.ContentHash, validated.Findings), (made.ContentHash, made.Findings));
            var created = await fixture.Host.Jobs().CreateJobAsync(new CreateJobRequest { Content = made.Content, ValidateOnly = true }, cancellationToken: Token);
            Assert.Equal(made.ContentHash, created.ContentHash);
        }
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task It_is_the_text_that_kpictl_makes_of_the_same_values()
    {
        await PutSamplesAsync();
        var stored = await Catalog.GetContractAsync(new GetContractRequest { Tenant = "acme", KpiId = "CFO-EF-02", Version = "1.1.0" }, cancellationToken: Token);
        var contract = KpiControl.Jobs.Contracts.ContractReader.Read(stored.Content, KpiControl.Jobs.Artifacts.ArtifactFormat.Yaml).Contract!;
        var offline = JobTemplate.Find("daily-kpi")!.Fill(contract, new Dictionary<string, string> { ["tenant"] = "acme", ["signal"] = "erp_eod_sync", ["filter.ledger_type"] = "actual" }, "https://kpi.example/schema.json");
        var request = Ask("daily-kpi", ("signal", "erp_eod_sync"), ("filter.ledger_type", "actual"));
        request.Schema = "https://kpi.example/schema.json";

        Assert.Equal(offline.Text, (await Catalog.RenderTemplateAsync(request, cancellationToken: Token)).Content);
    }

    [Theory]
    [InlineData("colour", "blue", "values.colour", "It has: tenant, job_id")]
    [InlineData("filter.colour", "blue", "values.filter.colour", "The contract has: company_id, ledger_type.")]
    [InlineData("tenant", "globex", "values.tenant", "leave it out")]
    [InlineData("schedule", "61 2 * * *", "/schedule/expression", "61 2 * * *")]
    [InlineData("signal", "a\u0007b", "values.signal", "control character")]
    [InlineData("job_id", "No Name", "/job_id", "")]
    public async Task A_value_that_does_not_fit_is_refused_with_its_name_and_what_would(string name, string value, string field, string words)
    {
        await PutSamplesAsync();
        var refused = await Refusals.OfAsync(Catalog.RenderTemplateAsync(Ask("daily-kpi", (name, value)), cancellationToken: Token));

        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        var violation = Assert.Single(refused.Violations());
        Assert.Equal(field, violation.Field);
        Assert.Contains(words, violation.Description, StringComparison.Ordinal);
        Assert.DoesNotContain("line ", violation.Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_values_that_are_wrong_are_named_at_once_and_too_many_are_not_read()
    {
        await PutSamplesAsync();
        var several = await Refusals.OfAsync(Catalog.RenderTemplateAsync(Ask("period-close", ("periods", "many"), ("colour", "blue")), cancellationToken: Token));
        var many = await Refusals.OfAsync(Catalog.RenderTemplateAsync(Ask("daily-kpi", [.. Enumerable.Range(0, 101).Select(i => ($"filter.f{i}", "x"))]), cancellationToken: Token));
        var huge = await Refusals.OfAsync(Catalog.RenderTemplateAsync(Ask("daily-kpi", (new string('a', 2001), "x")), cancellationToken: Token));

        Assert.Equal(["values.colour", "values.periods"], several.Violations().Select(violation => violation.Field).Order());
        Assert.Equal(["values", "values"], new[] { many, huge }.Select(refused => Assert.Single(refused.Violations()).Field));
    }

    [Fact]
    public async Task What_is_not_there_is_not_found_and_the_templates_are_named()
    {
        await PutSamplesAsync();
        var template = await Refusals.OfAsync(Catalog.RenderTemplateAsync(Ask("hourly-kpi"), cancellationToken: Token));
        var contract = await Refusals.OfAsync(Catalog.RenderTemplateAsync(new RenderTemplateRequest(Ask()) { Version = "9.9.9" }, cancellationToken: Token));

        Assert.Equal((StatusCode.NotFound, StatusCode.NotFound), (template.StatusCode, contract.StatusCode));
        Assert.Contains("daily-kpi, event-driven", template.Status.Detail, StringComparison.Ordinal);
        Assert.Contains("CFO-EF-02@9.9.9", contract.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_contract_that_no_job_may_name_makes_no_artifact()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract("8.0.0", "draft"), Token);
        var request = new RenderTemplateRequest(Ask()) { KpiId = "T-SIMPLE", Version = "8.0.0" };

        var refused = await Refusals.OfAsync(Catalog.RenderTemplateAsync(request, cancellationToken: Token));
        Assert.Equal("contract.not_active", Assert.Single(refused.Violations()).Reason);

        await Catalog.SetContractStatusAsync(new SetContractStatusRequest { Tenant = "acme", KpiId = "T-SIMPLE", Version = "8.0.0", Status = "active" }, cancellationToken: Token);
        Assert.Contains("contract_version: \"8.0.0\"", (await Catalog.RenderTemplateAsync(request, cancellationToken: Token)).Content, StringComparison.Ordinal);
    }

    [Fact]
    public async Task By_REST_it_is_the_same()
    {
        await PutSamplesAsync();
        var client = fixture.Host.Rest();

        var listed = await client.GetFromJsonAsync<JsonNode>("/api/templates", Token);
        using var posted = await client.PostAsJsonAsync("/api/templates/period-close/render", new { tenant = "acme", kpi_id = "CFO-EF-02", version = "1.1.0", values = new { periods = "6" } }, Token);
        var made = (await posted.Content.ReadFromJsonAsync<JsonNode>(Token))!;
        using var wrong = await client.PostAsJsonAsync("/api/templates/period-close/render", new { tenant = "acme", kpi_id = "CFO-EF-02", version = "1.1.0", values = new { periods = "six" } }, Token);

        Assert.Equal("composite-index", listed!["templates"]![0]!["name"]!.GetValue<string>());
        Assert.Equal((await Catalog.RenderTemplateAsync(Ask("period-close", ("periods", "6")), cancellationToken: Token)).Content, made["content"]!.GetValue<string>());
        Assert.Equal(400, (int)wrong.StatusCode);
        Assert.Contains("values.periods", await wrong.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
    }
}
