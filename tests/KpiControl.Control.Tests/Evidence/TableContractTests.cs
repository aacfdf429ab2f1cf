using KpiControl.Jobs.Evidence;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Evidence;

/// <summary>A run that built a table: by which contract is in its bundle, word for word.</summary>
public sealed class TableContractTests(EvidenceFixture fixture) : IClassFixture<EvidenceFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_contract_of_a_table_is_in_the_bundle_and_one_that_lacks_it_is_refused_by_both_verifiers()
    {
        var text = await File.ReadAllTextAsync(Repository.File("samples", "stages", "contracts", "gdp-invoices.yaml"), Token);
        var contract = await fixture.Host.Catalog().PutContractAsync(new PutContractRequest { Tenant = "acme", Content = text }, cancellationToken: Token);
        var created = await fixture.Host.Jobs().CreateJobAsync(new CreateJobRequest { Environment = "dev", Content = SampleTexts.Simple("builds_a_table", "0 5 1 1 *") }, cancellationToken: Token);
        var lease = await fixture.RunAsync(created.BindingId, report => report.Stages.Insert(0, new StageEvent
        {
            Stage = "gdp", Dataset = contract.KpiId, ContractDigest = contract.Digest, ContractVersion = contract.Version, Status = "succeeded", StartedAt = report.StartedAt, EndedAt = report.FinishedAt, OutputRows = 3, Version = "rows:3",
        }));

        var lines = await fixture.ExportAsync(new ExportEvidenceRequest { RunId = lease.Fence.Number });
        var (statement, documents) = EvidenceFixture.Read(lines);
        var built = documents.Single(document => document.Name == $"contract/{contract.Digest}");
        Assert.Equal((text, contract.KpiId, 2), (built["content"], built["kpi_id"], statement.Edition));

        List<EvidenceDocument> without = [.. documents.Where(document => document != built)];
        byte[][] bundles = [EvidenceFixture.Bytes(lines), fixture.SignAnew(statement, without), fixture.SignAnew(statement with { Edition = 1 }, without)];
        Assert.Equal([null, $"the contract of {contract.KpiId}, which run/{lease.Fence.Number} loaded or built, is not here", null], bundles.Select(bundle => fixture.Verify(bundle).Finding));
        Assert.Equal(["true", "false", "true"], (await fixture.SecondAsync(bundles)).Select(said => said.Split(' ')[0]));
    }
}
