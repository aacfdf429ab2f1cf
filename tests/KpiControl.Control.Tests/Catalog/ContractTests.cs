using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Catalog;

public sealed class ContractTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private CatalogService.CatalogServiceClient Catalog => fixture.Host.Catalog();

    private static PutContractRequest Put(string content) => new() { Tenant = "acme", Content = content };

    [Fact]
    public async Task A_version_never_changes_and_the_same_content_answers_the_same()
    {
        var first = await Catalog.PutContractAsync(Put(SampleTexts.SimpleContract("3.0.0")), cancellationToken: Token);
        var again = await Catalog.PutContractAsync(Put(SampleTexts.SimpleContract("3.0.0") + "\n# a comment\n"), cancellationToken: Token);
        var changed = await Refusals.OfAsync(Catalog.PutContractAsync(Put(SampleTexts.SimpleContract("3.0.0").Replace("grain: day", "grain: month")), cancellationToken: Token));

        Assert.Equal(first, again);
        Assert.Equal((StatusCode.AlreadyExists, "CONTRACT_IMMUTABLE"), (changed.StatusCode, changed.Info().Reason));
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT count(*) FROM kpi_audit WHERE object_id = 'T-SIMPLE@3.0.0'"));
    }

    [Fact]
    public async Task Its_status_moves_along_its_life_and_no_other_way()
    {
        await Catalog.PutContractAsync(Put(SampleTexts.SimpleContract("4.0.0", "draft")), cancellationToken: Token);
        SetContractStatusRequest To(string status) => new() { Tenant = "acme", KpiId = "T-SIMPLE", Version = "4.0.0", Status = status, Reason = "because" };

        Assert.Equal("active", (await Catalog.SetContractStatusAsync(To("active"), cancellationToken: Token)).Status);
        var back = await Refusals.OfAsync(Catalog.SetContractStatusAsync(To("draft"), cancellationToken: Token));
        var unknown = await Refusals.OfAsync(Catalog.SetContractStatusAsync(To("lively"), cancellationToken: Token));

        Assert.Equal((StatusCode.FailedPrecondition, "WRONG_STATUS"), (back.StatusCode, back.Info().Reason));
        Assert.Equal("status", Assert.Single(unknown.Violations()).Field);
        Assert.Equal("because", await fixture.ScalarAsync<string>("SELECT reason FROM kpi_audit WHERE object_id = 'T-SIMPLE@4.0.0' AND after ->> 'status' = 'active'"));
    }

    [Fact]
    public async Task All_that_is_wrong_with_one_is_said_at_once_and_validate_only_stores_nothing()
    {
        var before = await fixture.FootprintAsync();
        var bad = SampleTexts.SimpleContract("5.0.0").Replace("grain: day", "grain: hour").Replace("data_type: DOUBLE", "data_type: BLOB");

        var refused = await Refusals.OfAsync(Catalog.PutContractAsync(Put(bad), cancellationToken: Token));
        var rehearsal = Put(SampleTexts.SimpleContract("5.0.0"));
        rehearsal.ValidateOnly = true;
        await Catalog.PutContractAsync(rehearsal, cancellationToken: Token);

        Assert.Equal(2, refused.Violations().Count);
        Assert.All(refused.Violations(), v => Assert.StartsWith("line ", v.Description));
        Assert.Equal(before, await fixture.FootprintAsync());
    }

    [Fact]
    public async Task Pages_meet_each_contract_once_and_a_token_belongs_to_its_query()
    {
        foreach (var version in new[] { "6.0.0", "6.1.0", "6.2.0" })
            await Catalog.PutContractAsync(Put(SampleTexts.SimpleContract(version).Replace("T-SIMPLE", "T-PAGED")), cancellationToken: Token);
        var request = new ListContractsRequest { Tenant = "acme", KpiId = "T-PAGED", PageSize = 2 };

        var first = await Catalog.ListContractsAsync(request, cancellationToken: Token);
        request.PageToken = first.NextPageToken;
        var second = await Catalog.ListContractsAsync(request, cancellationToken: Token);
        request.KpiId = "T-SIMPLE";
        var other = await Refusals.OfAsync(Catalog.ListContractsAsync(request, cancellationToken: Token));

        Assert.Equal(["6.0.0", "6.1.0", "6.2.0"], first.Contracts.Concat(second.Contracts).Select(c => c.Version));
        Assert.Equal("", second.NextPageToken);
        Assert.Equal("page_token", Assert.Single(other.Violations()).Field);
    }

    [Fact]
    public async Task Another_tenant_sees_none_of_it()
    {
        await Catalog.PutContractAsync(Put(SampleTexts.SimpleContract("7.0.0")), cancellationToken: Token);
        var globex = fixture.Host.Catalog(fixture.Issuer.Token("other-tenant"));

        var foreign = await Refusals.OfAsync(globex.GetContractAsync(new GetContractRequest { Tenant = "acme", KpiId = "T-SIMPLE", Version = "7.0.0" }, cancellationToken: Token));

        Assert.Equal(StatusCode.NotFound, foreign.StatusCode);
        Assert.Empty((await globex.ListContractsAsync(new ListContractsRequest(), cancellationToken: Token)).Contracts);
    }
}
