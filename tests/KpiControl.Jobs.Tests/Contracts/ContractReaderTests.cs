using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Jobs.Tests.Contracts;

public sealed class ContractReaderTests
{
    [Fact]
    public void Every_sample_contract_reads_without_a_finding()
    {
        var files = Directory.GetFiles(Path.Combine(Samples.Root, "samples", "contracts"), "*.yaml");
        Assert.NotEmpty(files);
        foreach (var file in files)
        {
            var reading = ContractReader.Read(File.ReadAllText(file), ArtifactFormat.Yaml);
            Assert.True(reading is { Contract: not null, Findings.Count: 0 }, file + ": " + string.Join("\n", reading.Findings));
        }
    }

    [Fact]
    public void The_pages_example_reads_without_a_finding_and_a_template_makes_a_job_of_it()
    {
        var example = File.ReadAllText(Path.Combine(Samples.Root, "docs", "contracts.md")).Split("```yaml\n")[1].Split("```")[0];
        var reading = ContractReader.Read(example, ArtifactFormat.Yaml);
        Assert.True(reading is { Contract: not null, Findings.Count: 0 }, string.Join("\n", reading.Findings));
        var job = KpiControl.Jobs.Templates.JobTemplate.Find("daily-kpi")!.Fill(reading.Contract!, new Dictionary<string, string> { ["tenant"] = "acme" });
        Assert.True(job is { Text: not null, Findings.Count: 0 }, string.Join("\n", job.Findings));
    }

    [Fact]
    public void A_contract_says_what_it_is()
    {
        var contract = Samples.Contract(Samples.DsoContract);
        Assert.Equal(("CFO-EF-02", "1.1.0", "active", "primary", "month"), (contract.KpiId, contract.Version, contract.Status, contract.Layer, contract.Grain));
        Assert.Equal(["GDP_Receivables", "GDP_Sales"], contract.GdpDependencies);
        Assert.Equal(["company_id"], contract.KeyDimensions);
        Assert.Equal(["MoM", "YoY"], contract.Extensions["time"]);
        Assert.Equal(new ContractField("ledger_type", "VARCHAR"), contract.FilterField("ledger_type"));
        Assert.Equal(new ContractRule { RuleId = "within_reason", Check = "range", Min = 1, Max = 120 }, Assert.Single(contract.PostValidation));
    }

    [Fact]
    public void Its_canonical_json_reads_back_to_the_same_contract_and_digest()
    {
        var first = ContractReader.Read(Samples.DsoContract, ArtifactFormat.Yaml);
        var again = ContractReader.Read(first.CanonicalJson!, ArtifactFormat.Json);
        Assert.Equal((first.Digest, first.CanonicalJson), (again.Digest, again.CanonicalJson));
        Assert.Equivalent(first.Contract! with { Status = "draft" }, again.Contract, strict: true);
    }

    [Fact]
    public void The_status_is_no_part_of_the_digest_and_everything_else_is()
    {
        string DigestOf(string text) => ContractReader.Read(text, ArtifactFormat.Yaml).Digest!;
        Assert.Equal(DigestOf(Samples.DsoContract), DigestOf(Samples.DsoContract.Replace("status: active", "status: retired", StringComparison.Ordinal)));
        Assert.NotEqual(DigestOf(Samples.DsoContract), DigestOf(Samples.DsoContract.Replace("SELECT 1", "SELECT 2", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_kpi_of_kpis_names_them_at_their_versions()
    {
        var contract = Samples.Contract(Samples.DsoContract.Replace("[GDP_Receivables, GDP_Sales]", "[\"CHR-EM-01@1.0.0\"]", StringComparison.Ordinal));
        Assert.Equal("secondary", contract.Layer);
        Assert.Equal([new KpiReference("CHR-EM-01", "1.0.0")], contract.KpiDependencies);
    }

    [Theory]
    [InlineData("grain: month", "grain: fortnight", "contract.word", "/payload/grain")]
    [InlineData("version: \"1.1.0\"", "version: \"1.1\"", "contract.pattern", "/header/version")]
    [InlineData("status: active", "status: activ", "contract.word", "/header/status")]
    [InlineData("kpi_id: CFO-EF-02", "x-kpi: CFO-EF-02", "contract.required", "/header/kpi_id")]
    [InlineData("name: company_id", "name: Company-Id", "contract.pattern", "/payload/dimensions/0/name")]
    [InlineData("data_type: DOUBLE }, { name: lines", "data_type: FLOAT }, { name: lines", "contract.word", "/payload/filters/1/data_type")]
    [InlineData("language: sql", "language: python", "contract.word", "/payload/expression/language")]
    [InlineData("{ time: [MoM, YoY] }", "{ times: [MoM] }", "contract.extension_category", "/payload/extensions/times")]
    [InlineData("[company_id, period]", "[company, period]", "contract.primary_key", "/payload/primary_key/0")]
    [InlineData("[company_id, period]", "[company_id]", "contract.primary_key", "/payload/primary_key")]
    [InlineData("check: no_rows", "check: some_rows", "contract.check", "/payload/pre_validation/0")]
    [InlineData("check: range, min: 1, max: 120", "check: range", "contract.check", "/payload/post_validation/0")]
    [InlineData("min: 1, max: 120", "min: 121, max: 120", "contract.check", "/payload/post_validation/0")]
    [InlineData("min: 1, max: 120", "of: WoW, min: 1", "contract.check", "/payload/post_validation/0")]
    [InlineData("rule_id: within_reason", "rule_id: keys_unique", "contract.duplicate_rule", "/payload/post_validation/0")]
    [InlineData("name: ledger_type", "name: company_id", "contract.duplicate_name", "/payload")]
    [InlineData("name: ledger_type", "name: period", "contract.reserved_name", "/payload")]
    [InlineData("[GDP_Receivables, GDP_Sales]", "[\"GDP Receivables\"]", "contract.dependency", "/header/dependencies/0")]
    [InlineData("[GDP_Receivables, GDP_Sales]", "[\"CFO-EF-02@1.1.0\"]", "contract.cycle", "/header/dependencies")]
    [InlineData("status: active", "layer: composite", "contract.layer", "/header/layer")]
    [InlineData("freshness_sla_minutes: 1440", "freshness_sla_minutes: 0", "contract.freshness", "/payload/freshness_sla_minutes")]
    [InlineData("freshness_sla_minutes: 1440", "freshness_sla_minutes: a day", "contract.type", "/payload/freshness_sla_minutes")]
    public void What_is_wrong_is_named_with_its_place(string good, string bad, string rule, string path)
    {
        Assert.Contains(good, Samples.DsoContract, StringComparison.Ordinal);
        var reading = ContractReader.Read(Samples.DsoContract.Replace(good, bad, StringComparison.Ordinal), ArtifactFormat.Yaml);
        Assert.Null(reading.Contract);
        var finding = Assert.Single(reading.Findings, f => f.Rule == rule);
        Assert.Equal((path, Severity.Error), (finding.Path, finding.Severity));
        Assert.True(finding is { Line: > 0, Column: > 0 });
    }

    [Fact]
    public void Everything_wrong_is_found_at_once()
    {
        var text = Samples.DsoContract.Replace("grain: month", "grain: fortnight", StringComparison.Ordinal).Replace("language: sql", "language: python", StringComparison.Ordinal)
            .Replace("status: active", "status: activ", StringComparison.Ordinal);
        Assert.Equal(3, ContractReader.Read(text, ArtifactFormat.Yaml).Findings.Count(f => f.Severity == Severity.Error));
    }

    [Fact]
    public void An_unknown_field_is_kept_in_the_digest_and_warned_of()
    {
        var reading = ContractReader.Read(Samples.DsoContract.Replace("grain: month", "grain: month\n  granularity: month", StringComparison.Ordinal), ArtifactFormat.Yaml);
        Assert.Equal(("/payload/granularity", Severity.Warning), (Assert.Single(reading.Findings).Path, reading.Findings[0].Severity));
        Assert.Contains("granularity", reading.CanonicalJson, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("header: []\npayload: 3")]
    [InlineData("header: { dependencies: [1, {}] }\npayload: { dimensions: 7, metrics: [[]], extensions: { time: x } }")]
    [InlineData("a: &a [x]\nb: *a")]
    public void Nonsense_gets_findings_and_never_throws(string text)
    {
        var reading = ContractReader.Read(text, ArtifactFormat.Yaml);
        Assert.Null(reading.Contract);
        Assert.Contains(reading.Findings, finding => finding.Severity == Severity.Error);
    }

    [Theory]
    [InlineData("draft", "active", true)]
    [InlineData("active", "deprecated", true)]
    [InlineData("deprecated", "active", true)]
    [InlineData("proposed", "draft", true)]
    [InlineData("active", "draft", false)]
    [InlineData("retired", "active", false)]
    [InlineData("active", "active", false)]
    [InlineData("active", "gone", false)]
    public void A_status_moves_forward(string from, string to, bool may) => Assert.Equal(may, ContractStatus.MayBecome(from, to));
}
