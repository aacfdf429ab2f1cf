using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Plans;
using KpiControl.Jobs.Tests.Contracts;

namespace KpiControl.Jobs.Tests.Plans;

public sealed class ContractMoveTests
{
    private static readonly MetricContract Was = Samples.Contract(Samples.DsoContract);
    private static readonly JobArtifact Job = Samples.Job(Samples.Dso);

    public static TheoryData<string, string, string> Versions => new()
    {
        { "status: active", "status: active", "" },
        { "status: active", "status: proposed", "" },
        { "status: active", "status: deprecated", "contract.deprecated" },
        { "status: active", "status: retired", "!contract.retired" },
        { "grain: month", "grain: day", "!breaking.grain" },
        { "name: dso_days, metric_type: ratio", "name: dso, metric_type: ratio", "!breaking.metric_removed" },
        { "name: dso_days, metric_type: ratio", "name: dso_days, metric_type: sum", "!breaking.metric_changed" },
        { "unit: days", "unit: weeks", "!breaking.metric_changed" },
        { "unit: days } ]", "unit: days }, { name: late, data_type: DOUBLE } ]", "" },
        { "name: company_id, data_type: VARCHAR", "name: company_id, data_type: INTEGER", "!breaking.dimension_type" },
        { "primary_key: [company_id, period]", "primary_key: [period]", "!breaking.dimension_removed" },
        { "[ { name: company_id, data_type: VARCHAR } ]", "[ { name: company_id, data_type: VARCHAR }, { name: plant, data_type: VARCHAR } ]", "" },
        { "primary_key: [company_id, period]", "primary_key: [company_id, open, period]", "!breaking.dimension_added" },
        { "{ name: ledger_type, data_type: VARCHAR }", "{ name: book, data_type: VARCHAR }", "!contract.filter_field" },
        { "[MoM, YoY]", "[YoY]", "!contract.extension" },
        { "[GDP_Receivables, GDP_Sales]", "[GDP_Receivables, GDP_Sales, GDP_Payables]", "!contract.missing_dependency" },
        { "[GDP_Receivables, GDP_Sales]", "[GDP_Receivables]", "contract.dependency_left" },
        { "freshness_sla_minutes: 1440", "freshness_sla_minutes: 60", "contract.freshness" },
    };

    /// <param name="rule"><c>!</c>: it breaks.</param>
    [Theory, MemberData(nameof(Versions))]
    public void A_version_breaks_a_job_by_one_rule_is_worth_knowing_or_is_nothing(string from, string to, string rule)
    {
        var text = Samples.DsoContract.Replace("\"1.1.0\"", "\"1.2.0\"", StringComparison.Ordinal).Replace(from, to, StringComparison.Ordinal);
        if (to.Contains("open, period", StringComparison.Ordinal))
            text = text.Replace("dimensions: [ ", "dimensions: [ { name: open, data_type: BOOLEAN }, ", StringComparison.Ordinal).Replace("{ name: open, data_type: BOOLEAN }, { name: invoice_date", "{ name: invoice_date", StringComparison.Ordinal);
        var move = ContractMove.Of(Job, Was, Samples.Contract(text));
        Assert.Equal(rule.TrimStart('!'), string.Join(' ', move.Findings.Select(finding => finding.Rule).Concat(move.Breaking.Select(reason => reason.Rule))));
        Assert.Equal(rule.StartsWith('!'), move.Breaks);
    }

    [Fact]
    public void A_major_version_breaks_by_its_number()
    {
        var move = ContractMove.Of(Job, Was, Was with { Version = "2.0.0" });
        Assert.Equal(("breaking.contract_major", true), (Assert.Single(move.Breaking).Rule, move.Breaks));
        Assert.Empty(move.Findings);
    }

    [Fact]
    public void Another_pin_of_an_upstream_KPI_is_missing_and_the_one_before_is_left_over()
    {
        var (old, now) = (new KpiReference("CHR-EM-01", "1.0.0"), new KpiReference("CHR-EM-01", "2.0.0"));
        var was = Was with { KpiDependencies = [old] };
        var waiting = Job with { Dependencies = Job.Dependencies with { Kpis = [old] } };
        var move = ContractMove.Of(waiting, was, was with { Version = "1.2.0", KpiDependencies = [now] });
        Assert.Equal([("contract.missing_dependency", Severity.Error), ("contract.dependency_left", Severity.Warning)], move.Findings.Select(finding => (finding.Rule, finding.Severity)));
        Assert.All(move.Findings, finding => Assert.Equal("/dependencies/kpis", finding.Path));
        Assert.NotEmpty(move.Findings[1].Hint);
    }

    [Fact]
    public void What_a_job_has_on_its_own_version_is_not_laid_on_the_next()
    {
        var late = Job with { Sla = Job.Sla! with { Freshness = new SlaTarget(TimeSpan.FromDays(9), null) } };
        Assert.Equal("contract.freshness", Assert.Single(ContractCheck.Check(late, Was)).Rule);
        Assert.Empty(ContractMove.Of(late, Was, Was with { Version = "1.2.0" }).Findings);
    }

    [Fact]
    public void A_job_whose_own_version_is_retired_is_refused_from_then_on()
    {
        var move = ContractMove.Of(Job, Was with { Status = ContractStatus.Retired }, Was with { Status = ContractStatus.Retired });
        Assert.Equal(("contract.retired", true), (Assert.Single(move.Findings).Rule, move.Breaks));
        Assert.Empty(move.Breaking);
    }
}
