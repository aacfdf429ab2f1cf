using KpiControl.Jobs.Contracts;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>A contract's rules over the points of the window asked for.</summary>
internal static class PostValidation
{
    public static IReadOnlyList<Validation> Check(SqlPlan plan, IReadOnlyList<SeriesPoint> points) =>
        [.. plan.Contract.PostValidation.Select(rule => Check(rule, points))];

    /// <summary>Null where every rule is one that is known.</summary>
    public static string? Problem(MetricContract contract, IReadOnlySet<string> extensions) =>
        contract.PostValidation.Select(rule => Problem(rule, contract, extensions)).FirstOrDefault(problem => problem is not null);

    private static string? Problem(ContractRule rule, MetricContract contract, IReadOnlySet<string> extensions) =>
        rule.Check is not ("range" or "not_null" or "row_count") ? $"rule {rule.RuleId}: check `{rule.Check}` is not known after the call"
        : rule.Check == "row_count" || rule.Of == "value" || extensions.Contains(rule.Of) || contract.Metrics.Any(one => one.Name == rule.Of) ? null
        : $"rule {rule.RuleId} looks at `{rule.Of}`, which is neither value, a metric nor a time extension of the grain";

    private static Validation Check(ContractRule rule, IReadOnlyList<SeriesPoint> points)
    {
        var broken = rule.Check switch
        {
            "row_count" => Within(rule, points.Count) ? 0 : 1,
            "not_null" => Values(rule, points).Count(value => value is null),
            _ => Values(rule, points).Count(value => value is { } number && !Within(rule, number)),
        };
        return new Validation
        {
            RuleId = rule.RuleId, Stage = "post", Passed = broken == 0,
            Message = broken == 0 ? "" : $"{rule.Message}: {broken} of {points.Count} points",
        };
    }

    private static IEnumerable<double?> Values(ContractRule rule, IReadOnlyList<SeriesPoint> points) =>
        rule.Of == "value" ? points.Select(point => point.Value)
        : points.Count > 0 && points[0].Extensions.ContainsKey(rule.Of) ? points.Select(point => point.Extensions[rule.Of])
        : points.Where(point => point.Metric == rule.Of).Select(point => point.Value);

    private static bool Within(ContractRule rule, double number) => (rule.Min is not { } min || number >= min) && (rule.Max is not { } max || number <= max);
}
