using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calls;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Tests.Contracts;

namespace KpiControl.Jobs.Tests.Calls;

public sealed class KpiCallTests
{
    private static readonly MetricContract Contract = Samples.Contract(Samples.DsoContract);

    private static string Call(string good, string bad, string businessDate) =>
        KpiCall.Of(Samples.Job(Samples.Dso.Replace(good, bad, StringComparison.Ordinal)), Contract).For(DateOnly.Parse(businessDate));

    [Fact]
    public void The_specifications_job_calls_for_every_month_that_had_ended() => Assert.Equal(
        """{"kpi_id":"CFO-EF-02","contract_version":"1.1.0","time":{"grain":"month","calendar":"gregorian","range":{"type":"absolute","to":"2026-02"}},"dimensions":["company_id"],"filters":[{"field":"ledger_type","op":"=","value":"actual"}],"extensions":{"time":["MoM"]},"scd_view":"as_reported","options":{"include_lineage":true,"format":"json"}}""",
        Call("x", "x", "2026-03-30"));

    [Fact]
    public void The_restated_call_differs_in_its_view_alone()
    {
        var job = Samples.Job(Samples.Dso.Replace("value: actual", """value: "\"scd_view\":\"as_reported\"" """, StringComparison.Ordinal));
        var (call, date) = (KpiCall.Of(job, Contract), new DateOnly(2026, 3, 30));

        var (reported, restated) = (call.For(date), call.Restated().For(date));

        Assert.NotEqual(reported, restated);
        Assert.Equal(reported.Replace("\"scd_view\":\"as_reported\",\"options\"", "\"scd_view\":\"restated\",\"options\"", StringComparison.Ordinal), restated);
    }

    [Fact]
    public void A_month_has_ended_at_the_end_of_its_last_day() =>
        Assert.Contains("\"to\":\"2026-03\"", Call("x", "x", "2026-03-31"), StringComparison.Ordinal);

    [Fact]
    public void A_relative_range_is_counted_back_from_the_last_ended_period()
    {
        var call = JsonNode.Parse(Call("scd_view: as_reported", "time: { range: { type: relative, last_n: 6 } }", "2026-03-15"))!;
        Assert.Equal("""{"type":"absolute","from":"2025-09","to":"2026-02"}""", call["time"]!["range"]!.ToJsonString());
    }

    [Fact]
    public void A_range_longer_than_the_calendar_begins_with_it()
    {
        var yearly = KpiCall.Of(Samples.Job(Samples.Dso.Replace("scd_view: as_reported", "time: { range: { type: relative, last_n: 10000 } }", StringComparison.Ordinal)), Contract with { Grain = "year" });
        Assert.Contains("\"from\":\"0001\",\"to\":\"2025\"", yearly.For(new DateOnly(2026, 3, 1)), StringComparison.Ordinal);
    }

    [Fact]
    public void Named_dimensions_replace_those_of_the_key()
    {
        var wider = Contract with { Dimensions = [.. Contract.Dimensions, new ContractField("region", "VARCHAR")] };
        var job = Samples.Job(Samples.Dso.Replace("scd_view: as_reported", "dimensions: [region]", StringComparison.Ordinal));
        Assert.Equal("""["region"]""", JsonNode.Parse(KpiCall.Of(job, wider).For(new DateOnly(2026, 1, 1)))!["dimensions"]!.ToJsonString());
    }

    [Fact]
    public void What_an_author_writes_stays_a_value()
    {
        var job = Samples.Job(Samples.Dso.Replace("value: actual", """value: "\"range\":null, '; DROP TABLE x --" """, StringComparison.Ordinal));
        var call = JsonNode.Parse(KpiCall.Of(job, Contract).For(new DateOnly(2026, 1, 1)))!;
        Assert.Equal("\"range\":null, '; DROP TABLE x --", call["filters"]![0]!["value"]!.GetValue<string>());
        Assert.Equal("2025-12", call["time"]!["range"]!["to"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("day", "2026-03-31", "2026-03-31")]
    [InlineData("week", "2026-01-04", "2026-W01")]
    [InlineData("week", "2026-01-03", "2025-W52")]
    [InlineData("week", "2021-01-02", "2020-W52")]
    [InlineData("week", "2021-01-03", "2020-W53")]
    [InlineData("month", "2024-02-29", "2024-02")]
    [InlineData("month", "2024-02-28", "2024-01")]
    [InlineData("quarter", "2026-03-31", "2026-Q1")]
    [InlineData("quarter", "2026-03-30", "2025-Q4")]
    [InlineData("year", "2025-12-31", "2025")]
    [InlineData("year", "2025-12-30", "2024")]
    public void Periods_end_with_their_last_day(string grain, string date, string last) =>
        Assert.Equal(last, Periods.Format(grain, Periods.LastEnded(grain, DateOnly.Parse(date))));
}
