using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calls;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Jobs.Tests.Calls;

/// <summary>Figures derived from a series by date, and the names that a contract may promise.</summary>
public sealed class TimeExtensionTests
{
    private static readonly Dictionary<DateOnly, double?> Series = new()
    {
        [new(2024, 1, 1)] = 10, [new(2024, 2, 1)] = 20, [new(2024, 3, 1)] = 60, [new(2024, 4, 1)] = null, [new(2024, 5, 1)] = 5, [new(2023, 3, 1)] = 0,
    };

    [Theory]
    [InlineData("MoM", 3, 2.0)]
    [InlineData("MoM", 1, null)]
    [InlineData("YoY", 3, null)]
    [InlineData("rolling_3m", 3, 30.0)]
    [InlineData("rolling_2m", 2, 15.0)]
    [InlineData("rolling_3m", 2, null)]
    [InlineData("rolling_3m", 4, null)]
    [InlineData("rolling_3m", 5, null)]
    public void A_figure_is_found_by_date_or_is_null(string name, int month, double? expected) =>
        Assert.Equal(expected, TimeExtension.Of(name, "month")!.Compute(new DateOnly(2024, month, 1), day => Series.GetValueOrDefault(day)));

    [Theory]
    [InlineData("rolling_3m", "2023-11-01")]
    [InlineData("YoY", "2023-01-01")]
    public void A_window_is_widened_by_what_a_figure_needs(string name, string expected) =>
        Assert.Equal(DateOnly.ParseExact(expected, "yyyy-MM-dd"), TimeExtension.Of(name, "month")!.EarliestNeeded(new DateOnly(2024, 1, 1)));

    [Theory]
    [InlineData("day", "rolling_7d", true)]
    [InlineData("day", "rolling_3m", false)]
    [InlineData("month", "rolling_1m", false)]
    [InlineData("month", "rolling_100m", false)]
    [InlineData("month", "WoW", false)]
    [InlineData("week", "MoM", false)]
    [InlineData("year", "YoY", true)]
    [InlineData("century", "YoY", false)]
    public void A_grain_has_its_own(string grain, string name, bool known) => Assert.Equal(known, TimeExtension.Of(name, grain) is not null);

    [Theory, InlineData("time: [MoM, rolling_3m]", null), InlineData("time: [MoM, Fortnightly]", "contract.time_extension"), InlineData("time: [WoW]", "contract.time_extension")]
    public void A_contract_with_an_expression_promises_only_what_is_computed(string extensions, string? rule)
    {
        var text = $$"""
            header: { contract_id: c, contract_type: kpi, kpi_id: T-1, version: "1.0.0", status: active }
            payload:
              grain: month
              metrics: [ { name: amount } ]
              extensions: { {{extensions}} }
              primary_key: [period]
              expression: { language: sql, text: "SELECT 1" }
            """;
        Assert.Equal(rule, ContractReader.Read(text, ArtifactFormat.Yaml).Findings.FirstOrDefault(f => f.Severity == Severity.Error)?.Rule);
        // A contract that a KPI service computes may promise what that service can.
        Assert.DoesNotContain(ContractReader.Read(text.Replace("expression:", "x-expression:", StringComparison.Ordinal), ArtifactFormat.Yaml).Findings, f => f.Rule == "contract.time_extension");
    }
}
