using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Tests.Artifacts;

/// <summary>A hint says what to write or do next, never what the field is for.</summary>
public sealed class HintTests
{
    private const string Job = """
        job_id: dso_daily
        tenant: acme
        kpi_id: CFO-EF-02
        contract_version: 1.1.0
        schedule: { type: cron, expression: "0 2 * * *" }

        """;

    [Theory]
    [InlineData("alerts: [ { channel: \"slack:#a\", severity: deafening } ]", "Write one of these.")]
    [InlineData("alerts: [ { channel: \"slack:#a\", severity: hihg } ]", "Did you mean high?")]
    [InlineData("alerts: [ { channel: \"slack:#a\", severity: 3 } ]", "Write low, medium or high.")]
    [InlineData("alerts: [ { channel: \"slack:#a\" } ]", "Add severity: low, medium or high.")]
    [InlineData("run: { profile: everything }", "Write one of these, or leave it out for kpi_only.")]
    [InlineData("run: { profile: 7 }", "Write raw_only, raw_plus_gdp, kpi_only, pre_fill, backfill or skeleton, or leave it out for kpi_only.")]
    [InlineData("run: { stage_set: kpi }", "Write a list of ingestion, raw, gdp, kpi, such as [ingestion].")]
    [InlineData("run: { priority: 9 }", "Write a whole number from 1 to 5, or leave it out for 3.")]
    [InlineData("retry: { max_retries: many }", "Write a whole number from 0 to 20, or leave it out for 0.")]
    [InlineData("labels: month", "Write a list: [first, second].")]
    [InlineData("retry: 3", "Write fields beneath it: max_retries, backoff, initial, max.")]
    [InlineData("dependencies: { signals: [\"9am\"] }", "A letter, then letters, digits and _ . : -; such as erp_eod_sync.")]
    [InlineData("runtime: { filters: [ { field: a, op: \"==\", value: b } ] }", "Did you mean =?")]
    [InlineData("runtime: { filters: [ { field: a, op: \"<>\", value: b } ] }", "Did you mean !=?")]
    [InlineData("runtime: { filters: [ { field: a, op: in, value: b } ] }", "Write value: [first, second].")]
    public void It_says_what_to_write(string fields, string hint) =>
        Assert.Contains(hint, ArtifactReader.Read(Job + fields, ArtifactFormat.Yaml).Findings.Select(f => f.Hint));
}
