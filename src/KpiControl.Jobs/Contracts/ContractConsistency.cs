using KpiControl.Jobs.Artifacts.Text;
using KpiControl.Jobs.Calls;

namespace KpiControl.Jobs.Contracts;

/// <summary>What one part of a contract says about another.</summary>
internal static class ContractConsistency
{
    public static void Check(MetricContract contract, MemberReader header, MemberReader payload, FindingList findings)
    {
        Layer(contract, header, findings);
        Names(contract, payload, findings);
        PrimaryKey(contract, payload, findings);
        if (contract.FreshnessSlaMinutes is <= 0) findings.Error("contract.freshness", payload["freshness_sla_minutes"]!, "freshness_sla_minutes must be above 0.");
        if (contract.Metrics.Count == 0 && payload["metrics"] is { } metrics) findings.Error("contract.metrics", metrics, "A contract has at least one metric.");
        Rules(contract, payload, findings);
        Extensions(contract, payload, findings);
    }

    // A contract with an expression is executed by the agent, which must be able to do all that the contract promises.
    private static void Extensions(MetricContract contract, MemberReader payload, FindingList findings)
    {
        if (contract.ExpressionText is null || payload["extensions"] is not { Kind: NodeKind.Object } extensions) return;
        foreach (var item in extensions["time"]?.Items ?? [])
            if (item.Kind == NodeKind.String && contract.Grain.Length > 0 && TimeExtension.Of(item.Text, contract.Grain) is null)
                findings.Error("contract.time_extension", item, $"{item.Text} is not computed for grain {contract.Grain}.", $"Known are {TimeExtension.Known(contract.Grain)}.");
        foreach (var other in extensions.Members.Where(m => m.Name != "time" && m.Value.Items.Count > 0))
            findings.Warn("contract.extension_not_executed", other.Value, $"Extensions of category {other.Name} are not computed from an expression: a job that asks for one is refused.",
                "Declare them in a contract without an expression, which a KPI service computes.");
    }

    private static void Layer(MetricContract contract, MemberReader header, FindingList findings)
    {
        var at = header["layer"] ?? header["dependencies"] ?? header.At;
        if (contract.Layer == "primary" && contract.KpiDependencies.Count > 0)
            findings.Error("contract.layer", at, "A primary KPI is computed from GDP tables, not from other KPIs.", "Say layer: secondary or composite.");
        if (contract.Layer != "primary" && contract.KpiDependencies.Count == 0)
            findings.Error("contract.layer", at, $"A {contract.Layer} KPI depends on other KPIs, and none is named.", "Add them to dependencies as ID@version.");
        if (contract.KpiDependencies.Contains(contract.Reference))
            findings.Error("contract.cycle", header["dependencies"]!, "A KPI cannot depend on itself.");
    }

    private static void Names(MetricContract contract, MemberReader payload, FindingList findings)
    {
        var names = contract.Dimensions.Concat(contract.Filters).Select(field => field.Name).Concat(contract.Metrics.Select(metric => metric.Name));
        foreach (var twice in names.Where(name => name.Length > 0).GroupBy(name => name).Where(group => group.Count() > 1))
            findings.Error("contract.duplicate_name", payload.At, $"\"{twice.Key}\" names two things among dimensions, filters and metrics.");
        if (names.Contains("period"))
            findings.Error("contract.reserved_name", payload.At, "\"period\" is the period's own column and cannot name anything else.");
    }

    private static void PrimaryKey(MetricContract contract, MemberReader payload, FindingList findings)
    {
        if (payload["primary_key"] is not { } key) return;
        if (key.Items.All(item => item.Text != "period"))
            findings.Error("contract.primary_key", key, "primary_key must contain period.");
        foreach (var item in key.Items.Where(item => item.Kind == NodeKind.String && item.Text != "period" && contract.Dimensions.All(d => d.Name != item.Text)))
            findings.Error("contract.primary_key", item, $"\"{item.Text}\" in primary_key is not a dimension.");
    }

    private static void Rules(MetricContract contract, MemberReader payload, FindingList findings)
    {
        var pre = contract.PreValidation.Zip(payload["pre_validation"]?.Items ?? []).ToList();
        var post = contract.PostValidation.Zip(payload["post_validation"]?.Items ?? []).ToList();
        foreach (var (rule, at) in pre) Before(rule, at, findings);
        foreach (var (rule, at) in post) After(contract, rule, at, findings);
        var seen = new HashSet<string>();
        foreach (var (rule, at) in pre.Concat(post).Where(pair => pair.First.RuleId.Length > 0 && !seen.Add(pair.First.RuleId)))
            findings.Error("contract.duplicate_rule", at, $"The rule_id \"{rule.RuleId}\" stands twice.");
    }

    private static void Before(ContractRule rule, ArtifactNode at, FindingList findings)
    {
        if (rule.Check is not ("no_rows" or "")) findings.Error("contract.check", at, $"A pre-validation's check is no_rows, not \"{rule.Check}\".");
        else if (rule.Text is null) findings.Error("contract.check", at, "A no_rows check needs text: the SQL that returns what breaks the rule.");
    }

    private static void After(MetricContract contract, ContractRule rule, ArtifactNode at, FindingList findings)
    {
        if (rule.Check is not ("range" or "not_null" or "row_count" or ""))
            findings.Error("contract.check", at, $"A post-validation's check is range, not_null or row_count, not \"{rule.Check}\".");
        if (rule.Check is "range" or "row_count" && rule.Min is null && rule.Max is null)
            findings.Error("contract.check", at, $"A {rule.Check} check needs min, max or both.");
        if (rule.Min > rule.Max) findings.Error("contract.check", at, "min is above max: nothing could pass.");
        var time = contract.Extensions.GetValueOrDefault("time") ?? [];
        if (rule.Of != "value" && contract.Metrics.All(metric => metric.Name != rule.Of) && !time.Contains(rule.Of))
            findings.Error("contract.check", at, $"\"{rule.Of}\" is neither value, nor a metric, nor a time extension of this contract.");
    }
}
