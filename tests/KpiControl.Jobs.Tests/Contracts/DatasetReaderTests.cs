using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Jobs.Tests.Contracts;

public sealed class DatasetReaderTests
{
    [Fact]
    public void A_raw_table_is_loaded_from_a_file()
    {
        var raw = CatalogReader.Read(Text("raw-invoices"), ArtifactFormat.Yaml);
        Assert.Empty(raw.Findings);
        Assert.Equal(("raw", "RAW_Invoices", "1.0.0", "active", "sales.csv"), (raw.Type, raw.Name, raw.Version, raw.Status, raw.Dataset!.File));
        Assert.Equal(9, raw.Dataset.Columns.Count);
    }

    [Fact]
    public void A_GDP_table_is_built_from_raw_tables_and_says_how_far_it_reaches()
    {
        var gdp = CatalogReader.Read(Text("gdp-invoices"), ArtifactFormat.Yaml);
        Assert.Empty(gdp.Findings);
        Assert.Equal(["RAW_Invoices"], gdp.Dependencies);
        Assert.Equal(new DataThrough("invoice_date", "month"), gdp.Dataset!.Through);
    }

    [Fact]
    public void A_KPIs_contract_is_read_as_before()
    {
        var kpi = CatalogReader.Read(Samples.DsoContract, ArtifactFormat.Yaml);
        Assert.Equal(("kpi", "CFO-EF-02"), (kpi.Type, kpi.Name));
        Assert.Equal(ContractReader.Read(Samples.DsoContract, ArtifactFormat.Yaml).Digest, kpi.Digest);
    }

    [Fact]
    public void Its_status_is_no_part_of_its_meaning() =>
        Assert.Equal(CatalogReader.Read(Text("gdp-invoices"), ArtifactFormat.Yaml).Digest, CatalogReader.Read(Text("gdp-invoices").Replace("status: active", "status: draft", StringComparison.Ordinal), ArtifactFormat.Yaml).Digest);

    [Theory]
    [InlineData("raw-invoices", "file: sales.csv", "file: ../sales.csv", "contract.pattern", "/payload/source/file")]
    [InlineData("raw-invoices", "file: sales.csv", "file: /etc/passwd", "contract.pattern", "/payload/source/file")]
    [InlineData("raw-invoices", "{ file: sales.csv }", "{}", "contract.required", "/payload/source/file")]
    [InlineData("raw-invoices", "dataset: RAW_Invoices", "dataset: \"raw; drop\"", "contract.pattern", "/header/dataset")]
    [InlineData("raw-invoices", "revision]", "revision, page]", "contract.primary_key", "/payload/primary_key/4")]
    [InlineData("raw-invoices", "classification: internal", "dependencies: [RAW_Other]", "contract.dependency", "/header/dependencies")]
    [InlineData("gdp-invoices", "column: invoice_date", "column: amount", "contract.data_through", "/payload/data_through")]
    [InlineData("gdp-invoices", "grain: month", "grain: fortnight", "contract.word", "/payload/data_through/grain")]
    [InlineData("gdp-invoices", "[RAW_Invoices]", "[GDP_Invoices]", "contract.cycle", "/header/dependencies")]
    [InlineData("gdp-invoices", "revision = 1", "revision = 1; DROP TABLE kpi_fence", "contract.expression", "/payload/expression")]
    [InlineData("gdp-invoices", "revision = 1", "revision = {{ revision }}", "contract.expression", "/payload/expression")]
    [InlineData("gdp-invoices", "name: customer_id", "name: company_id", "contract.duplicate_name", "/payload")]
    [InlineData("gdp-invoices", "data_type: DECIMAL", "data_type: MONEY", "contract.word", "/payload/columns/4/data_type")]
    public void What_is_wrong_is_said_with_its_place(string file, string good, string bad, string rule, string path)
    {
        var text = Text(file);
        Assert.Contains(good, text, StringComparison.Ordinal);
        var reading = CatalogReader.Read(text.Replace(good, bad, StringComparison.Ordinal), ArtifactFormat.Yaml);
        var finding = Assert.Single(reading.Findings, one => one.Severity == Severity.Error);
        Assert.Equal((rule, path), (finding.Rule, finding.Path));
        Assert.True(finding.Line > 1);
        if (rule == "contract.pattern")
            Assert.StartsWith("Write ", finding.Hint, StringComparison.Ordinal);
        Assert.Null(reading.Dataset);
    }

    private static string Text(string file) => File.ReadAllText(Path.Combine(Samples.Root, "samples", "stages", "contracts", $"{file}.yaml"));
}
