using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using CsCheck;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Templates;
using KpiControl.Jobs.Tests.Contracts;

namespace KpiControl.Jobs.Tests.Templates;

public sealed class JobTemplateTests
{
    private static readonly MetricContract Contract = Samples.Contract(Samples.DsoContract);

    private static readonly MetricContract OfKpis = Contract with
    {
        KpiId = "CHR-LM-01", Version = "1.0.0", Layer = "composite", GdpDependencies = [], Extensions = new Dictionary<string, IReadOnlyList<string>>(), Filters = [],
        KpiDependencies = [new KpiReference("CHR-EM-01", "1.0.0"), new KpiReference("CHR-UN-01", "1.0.0")],
    };

    private static FilledTemplate Fill(string template, MetricContract contract, params (string Name, string Value)[] values) =>
        JobTemplate.Find(template)!.Fill(contract, values.Append(("tenant", "acme")).ToDictionary());

    public static TheoryData<string> Names => [.. JobTemplate.All.Select(template => template.Name)];

    [Fact]
    public void The_templates_are_the_files_of_the_repository()
    {
        var files = Directory.GetFiles(Path.Combine(Samples.Root, "templates"), "*.yaml").Select(Path.GetFileNameWithoutExtension).Order(StringComparer.Ordinal);
        Assert.Equal(files, JobTemplate.All.Select(template => template.Name));
        Assert.Equal(["composite-index", "daily-kpi", "event-driven", "period-close", "real-time-micro-batch"], files);
        Assert.Null(JobTemplate.Find("hourly-kpi"));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void What_a_template_makes_is_valid_and_fits_its_contract(string template)
    {
        foreach (var contract in new[] { Contract, OfKpis })
        {
            var filled = Fill(template, contract);
            Assert.DoesNotContain(filled.Findings, finding => finding.Severity == Severity.Error);
            Assert.StartsWith("# yaml-language-server: $schema=/schemas/kpi-job/1.0.json\n", filled.Text, StringComparison.Ordinal);
            var job = Samples.Job(filled.Text!);
            Assert.Equal((contract.KpiId, contract.Version, "acme"), (job.KpiId, job.ContractVersion, job.Tenant));
            Assert.Equal(contract.GdpDependencies, job.Dependencies.Gdp);
            Assert.Equal(contract.KpiDependencies, job.Dependencies.Kpis);
            Assert.NotNull(job.Sla?.Freshness);
            Assert.NotEmpty(job.Alerts);
        }
    }

    [Fact]
    public void A_daily_job_takes_its_promise_and_extensions_from_the_contract()
    {
        var filled = Fill("daily-kpi", Contract, ("filter.ledger_type", "actual"), ("signal", "erp_eod_sync"));
        Assert.Empty(filled.Findings);
        var job = Samples.Job(filled.Text!);
        Assert.Equal("cfo_ef_02_daily", job.JobId);
        Assert.Equal(TimeSpan.FromMinutes(1440), job.Sla!.Freshness!.Target);
        Assert.Equal(["MoM", "YoY"], job.Runtime.Extensions["time"]);
        Assert.Equal(["erp_eod_sync"], job.Dependencies.Signals);
        Assert.Equal(("ledger_type", "=", "actual"), (job.Runtime.Filters[0].Field, job.Runtime.Filters[0].Op, job.Runtime.Filters[0].Value!.GetValue<string>()));
    }

    [Fact]
    public void A_filter_without_a_value_is_shown_as_a_comment() =>
        Assert.Contains("# To filter by ledger_type (VARCHAR)", Fill("daily-kpi", Contract).Text, StringComparison.Ordinal);

    [Theory]
    [InlineData("lines", "3", "3")]
    [InlineData("amount", "-2.5", "-2.5")]
    [InlineData("open", "true", "true")]
    [InlineData("invoice_date", "2026-01-31", "\"2026-01-31\"")]
    [InlineData("serial", "9223372036854775807", "\"9223372036854775807\"")]
    [InlineData("ledger_type", "3", "\"3\"")]
    [InlineData("ledger_type", "no", "\"no\"")]
    public void A_filters_value_has_the_type_of_its_field(string field, string value, string json)
    {
        var filled = Fill("daily-kpi", Contract, ("filter." + field, value));
        Assert.Empty(filled.Findings);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(json), Samples.Job(filled.Text!).Runtime.Filters[0].Value));
    }

    [Theory]
    [InlineData("daily-kpi", "colour", "blue", "no parameter colour")]
    [InlineData("daily-kpi", "filter.colour", "blue", "no field colour")]
    [InlineData("daily-kpi", "filter.lines", "many", "is not INTEGER")]
    [InlineData("period-close", "periods", "1\n  x: y", "whole number")]
    public void A_value_that_fits_nowhere_is_refused(string template, string name, string value, string words)
    {
        var filled = Fill(template, Contract, (name, value));
        Assert.Null(filled.Text);
        var finding = Assert.Single(filled.Findings);
        Assert.Contains(words, finding.Message, StringComparison.Ordinal);
        Assert.Equal(("/" + name, true), (finding.Path, finding.Hint.Length > 0));
    }

    [Fact]
    public void An_event_driven_job_is_started_by_its_signal_alone()
    {
        var job = Samples.Job(Fill("event-driven", Contract, ("signal", "erp_eod_sync"), ("timezone", "Europe/Berlin")).Text!);
        Assert.Equal(("event", "Europe/Berlin"), (job.Schedule.Type, job.Schedule.Timezone));
        Assert.Equal(["erp_eod_sync"], job.Schedule.On);
        Assert.Equal(["cfo_ef_02_inputs_ready"], Samples.Job(Fill("event-driven", Contract).Text!).Schedule.On);
    }

    [Fact]
    public void A_parameter_without_a_default_must_be_given()
    {
        var filled = JobTemplate.Find("daily-kpi")!.Fill(Contract, new Dictionary<string, string>());
        Assert.Null(filled.Text);
        Assert.Contains("needs tenant", Assert.Single(filled.Findings).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_value_makes_wrong_is_found_in_the_text()
    {
        var filled = Fill("daily-kpi", Contract, ("schedule", "61 * * * *"));
        var finding = Assert.Single(filled.Findings, f => f.Severity == Severity.Error);
        Assert.Equal("meaning.cron", finding.Rule);
        Assert.Contains("61 * * * *", filled.Text!.Split('\n')[finding.Line - 1], StringComparison.Ordinal);
    }

    [Fact]
    public void No_value_can_become_anything_but_a_value() =>
        Gen.Char.Array[0, 40].Select(chars => new string(chars)).Where(text => text.All(c => c is not (< ' ' or (>= '\u007f' and <= '\u009f') or '\u2028' or '\u2029'
            or (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069') or '\ufeff' or '\ufffe' or '\uffff') && !char.IsSurrogate(c))).Sample(RoundTrips, iter: 200);

    [Theory]
    [InlineData("a\nb: c")]
    [InlineData("\"; tenant: other")]
    [InlineData("{{ tenant }}")]
    [InlineData("# comment")]
    [InlineData("null")]
    [InlineData("1e3")]
    [InlineData("0x1F")]
    [InlineData("~")]
    [InlineData("")]
    [InlineData("- x")]
    [InlineData("😀 'quoted' \\ back")]
    public void Odd_values_stay_what_they_are(string text) => Assert.True(RoundTrips(text));

    private static bool RoundTrips(string text)
    {
        var filled = JobTemplate.Find("daily-kpi")!.Fill(Contract, new Dictionary<string, string> { ["tenant"] = "acme", ["filter.ledger_type"] = text });
        var job = ArtifactReader.Read(filled.Text!, ArtifactFormat.Yaml).Job;
        return job is { Tenant: "acme", Runtime.Filters: [{ } filter] } && filter.Value!.GetValue<string>() == text;
    }

    [Fact]
    public void Every_hole_outside_of_comments_is_written_as_yaml()
    {
        foreach (var file in Directory.GetFiles(Path.Combine(Samples.Root, "templates"), "*.yaml"))
        foreach (var line in File.ReadLines(file).SkipWhile(line => line != "artifact: |").Where(line => !line.TrimStart().StartsWith('#')))
            Assert.All(Regex.Matches(line, @"\{\{.*?\}\}"), hole => Assert.EndsWith("| yaml }}", hole.Value, StringComparison.Ordinal));
    }
}
