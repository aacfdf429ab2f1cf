using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Plans;
using KpiControl.Jobs.Tests.Contracts;

namespace KpiControl.Jobs.Tests.Plans;

public sealed class BreakingRuleTests
{
    private const string Base = """
        job_id: a
        tenant: acme
        kpi_id: K1
        contract_version: 1.2.0
        schedule: { type: cron, expression: "0 2 * * *", timezone: Europe/Berlin }
        runtime: { dimensions: [company, region], extensions: { time: [MoM, YoY] }, filters: [{ field: company, op: "=", value: a }] }
        """;

    [Theory]
    [InlineData("contract_version: 1.2.0", "contract_version: 2.0.0", "breaking.contract_major")]
    [InlineData("contract_version: 1.2.0", "contract_version: 0.9.0", "breaking.contract_major")]
    [InlineData("contract_version: 1.2.0", "contract_version: 1.3.0-rc.1", "")]
    [InlineData("contract_version: 1.2.0", "contract_version: 1.1.9", "")]
    [InlineData("kpi_id: K1", "kpi_id: K2", "breaking.kpi")]
    [InlineData("[company, region]", "[company]", "breaking.dimension_removed")]
    [InlineData("[company, region]", "[company, region, plant]", "breaking.dimension_added")]
    [InlineData("[company, region]", "[region, company]", "")]
    [InlineData("[MoM, YoY]", "[YoY]", "breaking.extension_removed")]
    [InlineData("[MoM, YoY]", "[MoM, YoY, YTD]", "")]
    [InlineData("value: a", "value: b", "breaking.filters")]
    [InlineData("runtime: {", "runtime: { scd_view: restated,", "breaking.scd_view")]
    [InlineData("runtime: {", "runtime: { time: { grain: day },", "breaking.time")]
    [InlineData("timezone: Europe/Berlin", "timezone: Europe/Madrid", "breaking.timezone")]
    [InlineData("0 2 * * *", "0 3 * * *", "")]
    [InlineData("{ type: cron, expression: \"0 2 * * *\", timezone: Europe/Berlin }", "{ type: manual, timezone: Europe/Berlin }", "breaking.not_scheduled")]
    [InlineData("kpi_id: K1", "kpi_id: K1\ndependencies: { business_date: current }", "breaking.business_date")]
    [InlineData("kpi_id: K1", "kpi_id: K1\nrun: { on_rule_fail: warn }", "breaking.rules_loosened")]
    [InlineData("kpi_id: K1", "kpi_id: K1\nrun: { profile: raw_plus_gdp }", "breaking.stages")]
    [InlineData("kpi_id: K1", "kpi_id: K1\nrun: { stage_set: [raw, gdp] }", "breaking.stages")]
    [InlineData("kpi_id: K1", "kpi_id: K1\nrun: { stage_set: [gdp, kpi] }", "")]
    [InlineData("kpi_id: K1", "kpi_id: K1\ntimeout: 5m", "")]
    public void A_change_breaks_by_one_rule_or_none(string from, string to, string rule) =>
        Assert.Equal(rule, string.Join(' ', BreakingRules.Between(Job(Base), Job(Base.Replace(from, to, StringComparison.Ordinal)), null, null).Select(reason => reason.Rule)));

    [Fact]
    public void Before_version_one_a_minor_version_breaks()
    {
        var was = Job(Base.Replace("1.2.0", "0.3.1", StringComparison.Ordinal));
        Assert.Equal("breaking.contract_major", Assert.Single(BreakingRules.Between(was, was with { ContractVersion = "0.4.0" }, null, null)).Rule);
        Assert.Empty(BreakingRules.Between(was, was with { ContractVersion = "0.3.2" }, null, null));
    }

    [Fact]
    public void Dimensions_that_are_left_out_are_those_of_the_contracts_key()
    {
        var contract = Samples.Contract(Samples.DsoContract);
        var named = Samples.Job(Samples.Dso);
        named = named with { Runtime = named.Runtime with { Dimensions = contract.KeyDimensions } };
        var absent = named with { Runtime = named.Runtime with { Dimensions = [] } };
        Assert.Empty(BreakingRules.Between(named, absent, contract, contract));
        Assert.Equal(contract.KeyDimensions.Count, BreakingRules.Between(absent, absent, contract, contract with { KeyDimensions = [] }).Count(reason => reason.Rule == "breaking.dimension_removed"));
    }

    [Fact]
    public void What_nobody_would_compute_any_more_breaks_those_that_wait_for_it()
    {
        var left = new KpiReference("K1", "1.2.0");
        Assert.Empty(BreakingRules.Orphans(left, []));
        Assert.Equal("Nothing would compute K1@1.2.0 any more, and A@1.0.0, B@1.0.0, C@1.0.0 and 1 more wait for it.",
            Assert.Single(BreakingRules.Orphans(left, [.. "ABCD".Select(kpi => new KpiReference(kpi.ToString(), "1.0.0"))])).Message);
    }

    [Fact]
    public void Promises_and_routes_are_added_removed_tightened_and_loosened()
    {
        var was = Job(Base + "\nsla: { freshness: 24h, latency: 10m, on_breach: alert }\nalerts: [{ channel: 'slack:#a', severity: high }, { channel: 'email:a@b.example', severity: low, on: [failure] }]");
        var now = Job(Base + "\nsla: { freshness: 12h, availability: '09:00', on_breach: halt }\nalerts: [{ channel: 'email:a@b.example', severity: low, on: [sla_breach] }]");
        Assert.Equal(
            ["tightened /sla/freshness", "removed /sla/latency", "added /sla/availability", "changed /sla/on_breach", "removed /alerts", "changed /alerts"],
            PromiseEffects.Between(was, now).Select(effect => $"{effect.Kind} {effect.Path}"));
        Assert.Contains("email:a@b.example (low): +sla_breach, -failure", PromiseEffects.Between(was, now).Select(effect => effect.Message));
        Assert.Equal("loosened", Assert.Single(PromiseEffects.Between(now, now with { Sla = now.Sla! with { Freshness = new SlaTarget(TimeSpan.FromDays(2), null) } })).Kind);
        Assert.All(PromiseEffects.Between(was, null), effect => Assert.Equal("removed", effect.Kind));
        Assert.Empty(PromiseEffects.Between(was, was));
    }

    private static JobArtifact Job(string yaml) => ArtifactReader.Read(yaml, ArtifactFormat.Yaml) is { Job: { } job } ? job
        : throw new InvalidOperationException(string.Join('\n', ArtifactReader.Read(yaml, ArtifactFormat.Yaml).Findings.Select(finding => $"{finding.Path}: {finding.Message}")));
}
