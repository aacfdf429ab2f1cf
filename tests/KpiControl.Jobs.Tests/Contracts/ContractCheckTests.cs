using System.Text;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Jobs.Tests.Contracts;

public sealed class ContractCheckTests
{
    private static readonly MetricContract Contract = Samples.Contract(Samples.DsoContract);

    private static IReadOnlyList<Finding> Check(string good = "", string bad = "", MetricContract? contract = null)
    {
        Assert.Contains(good, Samples.Dso, StringComparison.Ordinal);
        return ContractCheck.Check(Samples.Job(good.Length == 0 ? Samples.Dso : Samples.Dso.Replace(good, bad, StringComparison.Ordinal)), contract ?? Contract);
    }

    [Fact]
    public void The_specifications_job_fits_its_contract() => Assert.Empty(Check());

    [Fact]
    public void Every_sample_job_fits_its_contract_and_no_kpi_waits_for_itself()
    {
        var contracts = Files("contracts").Select(Samples.Contract).ToDictionary(contract => contract.Reference);
        var jobs = Files("jobs").Select(Samples.Job).ToList();
        var graph = new DependencyGraph();
        jobs.ForEach(graph.Add);
        Assert.NotEmpty(jobs);
        foreach (var job in jobs)
            Assert.Empty(ContractCheck.Check(job, contracts.GetValueOrDefault(new KpiReference(job.KpiId, job.ContractVersion))).Concat(graph.Check(job)));
    }

    private static IEnumerable<string> Files(string folder) =>
        Directory.GetFiles(Path.Combine(Samples.Root, "samples", folder), "*.yaml", SearchOption.AllDirectories).Select(File.ReadAllText);

    [Fact]
    public void A_contract_that_is_not_there_is_named()
    {
        var finding = Assert.Single(ContractCheck.Check(Samples.Job(Samples.Dso), null));
        Assert.Equal(("contract.unknown", Severity.Error), (finding.Rule, finding.Severity));
        Assert.Contains("CFO-EF-02@1.1.0", finding.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("deprecated", "contract.deprecated", Severity.Warning)]
    [InlineData("retired", "contract.retired", Severity.Error)]
    [InlineData("draft", "contract.not_active", Severity.Error)]
    [InlineData("proposed", "contract.not_active", Severity.Error)]
    [InlineData("approved", "contract.not_active", Severity.Error)]
    public void Only_an_active_contract_is_free_of_findings(string status, string rule, Severity severity)
    {
        var finding = Assert.Single(Check(contract: Contract with { Status = status }));
        Assert.Equal((rule, severity), (finding.Rule, finding.Severity));
    }

    [Theory]
    [InlineData("[GDP_Receivables, GDP_Sales]", "[GDP_Receivables]", "contract.missing_dependency", "/dependencies/gdp")]
    [InlineData("time: [MoM]", "time: [MoM, WoW]", "contract.extension", "/runtime/extensions/time/1")]
    [InlineData("time: [MoM]", "entity: [unit]", "contract.extension", "/runtime/extensions/entity/0")]
    [InlineData("field: ledger_type", "field: ledger", "contract.filter_field", "/runtime/filters/0/field")]
    [InlineData("scd_view: as_reported", "dimensions: [company_id, region]", "contract.dimension", "/runtime/dimensions/1")]
    [InlineData("scd_view: as_reported", "dimensions: [company_id, company_id]", "contract.dimension", "/runtime/dimensions")]
    [InlineData("scd_view: as_reported", "time: { grain: day }", "contract.grain", "/runtime/time/grain")]
    public void What_the_contract_does_not_have_is_refused(string good, string bad, string rule, string path)
    {
        var finding = Assert.Single(Check(good, bad));
        Assert.Equal((rule, path, Severity.Error), (finding.Rule, finding.Path, finding.Severity));
        Assert.NotEmpty(finding.Message);
    }

    [Fact]
    public void Upstream_kpis_are_waited_for_at_the_contracts_version()
    {
        var upstream = Contract with { KpiDependencies = [new KpiReference("CHR-EM-01", "1.0.0")] };
        Assert.Equal("/dependencies/kpis", Assert.Single(Check(contract: upstream)).Path);
        Assert.Single(Check("signals: [erp_eod_sync]", "kpis: [{ kpi_id: CHR-EM-01, contract_version: 1.0.1 }]", upstream));
        Assert.Empty(Check("signals: [erp_eod_sync]", "kpis: [{ kpi_id: CHR-EM-01, contract_version: 1.0.0 }]", upstream));
    }

    [Theory]
    [InlineData("ledger_type", "=", "actual")]
    [InlineData("ledger_type", "in", "[actual, plan]")]
    [InlineData("ledger_type", "like", "\"act%\"")]
    [InlineData("ledger_type", "is_null", "null")]
    [InlineData("company_id", "!=", "PARENT")]
    [InlineData("amount", "between", "[1, 2.5]")]
    [InlineData("lines", ">", "3")]
    [InlineData("open", "=", "true")]
    [InlineData("invoice_date", ">=", "\"2026-01-31\"")]
    [InlineData("seen_at", "<", "\"2026-01-31T09:00:00Z\"")]
    [InlineData("serial", "=", "\"9223372036854775807\"")]
    [InlineData("price", "<=", "\"0.1\"")]
    public void A_value_of_the_fields_type_passes(string field, string op, string value) => Assert.Empty(CheckFilter(field, op, value));

    [Theory]
    [InlineData("ledger_type", "=", "3", "/value")]
    [InlineData("ledger_type", "in", "[actual, 3]", "/value/1")]
    [InlineData("amount", "like", "\"1%\"", "/op")]
    [InlineData("amount", "=", "\"1\"", "/value")]
    [InlineData("lines", "=", "1.5", "/value")]
    [InlineData("lines", "=", "3000000000", "/value")]
    [InlineData("open", "<", "true", "/op")]
    [InlineData("open", "=", "\"yes\"", "/value")]
    [InlineData("invoice_date", "=", "\"31.01.2026\"", "/value")]
    [InlineData("invoice_date", "=", "\"2026-02-30\"", "/value")]
    [InlineData("seen_at", "=", "\"soon\"", "/value")]
    [InlineData("serial", "=", "\"9223372036854775808\"", "/value")]
    public void A_value_of_another_type_does_not(string field, string op, string value, string at) =>
        Assert.Equal("/runtime/filters/0" + at, Assert.Single(CheckFilter(field, op, value)).Path);

    private static IReadOnlyList<Finding> CheckFilter(string field, string op, string value) => Check(
        "- field: ledger_type\n      op: \"=\"\n      value: actual", $"- {{ field: {field}, op: \"{op}\", value: {value} }}");

    [Theory]
    [InlineData("24h", 0)]
    [InlineData("12h", 0)]
    [InlineData("25h", 1)]
    public void A_promise_that_falls_short_of_the_contracts_is_warned_of(string freshness, int findings) =>
        Assert.Equal(findings, Check("freshness: \"24h\"", $"freshness: {freshness}").Count(f => f is { Rule: "contract.freshness", Severity: Severity.Warning }));

    [Fact]
    public void Findings_get_their_place_in_the_text()
    {
        var text = Samples.Dso.Replace("field: ledger_type", "field: ledger", StringComparison.Ordinal).Replace("[GDP_Receivables, GDP_Sales]", "[GDP_Sales]", StringComparison.Ordinal);
        var placed = FindingPlaces.Fill(ContractCheck.Check(Samples.Job(text), Contract), Encoding.UTF8.GetBytes(text), ArtifactFormat.Yaml);
        var lines = text.Split('\n');
        Assert.Equal(["gdp: [GDP_Sales]", "ledger"], placed.Select(f => lines[f.Line - 1][(f.Column - 1)..].Trim()));
    }

    [Fact]
    public void Findings_about_what_is_absent_are_placed_at_what_is_around_it()
    {
        var placed = FindingPlaces.Fill([new Finding("/run/profile", 0, 0, "r", Severity.Error, "m"), new Finding("/sla/latency", 0, 0, "r", Severity.Error, "m")],
            Encoding.UTF8.GetBytes(Samples.Dso), ArtifactFormat.Yaml);
        Assert.Equal((2, "sla:"), (placed[0].Line, Samples.Dso.Split('\n')[placed[1].Line - 1].Trim()));
    }
}
