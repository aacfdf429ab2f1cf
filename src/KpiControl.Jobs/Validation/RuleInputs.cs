using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Validation;

/// <summary>What a rule looks at beside the place of its finding: where one of these was refused, the rule has nothing to say.</summary>
internal static class RuleInputs
{
    private static readonly string[] Slots = ["/schedule/type", "/schedule/expression", "/schedule/timezone", "/schedule/start_at", "/schedule/end_at"];
    private static readonly string[] Contract = ["/kpi_id", "/contract_version"];

    public static IReadOnlyList<string> Of(Finding finding) => finding.Rule switch
    {
        "meaning.expression" => ["/schedule/type", "/schedule/expression"],
        "meaning.bounds" => ["/schedule/start_at", "/schedule/end_at", "/schedule/timezone"],
        "meaning.spread" => [.. Slots, "/schedule/spread"],
        "meaning.on" => ["/schedule/type", "/schedule/on"],
        "meaning.day_match" => ["/schedule/expression", "/schedule/day_match"],
        "meaning.retry_window" => [.. Slots, "/retry", "/timeout"],
        "meaning.retry_max" => ["/retry/initial", "/retry/max"],
        "meaning.wait_timeout" => [.. Slots, "/dependencies/wait_timeout"],
        "meaning.availability" => [.. Slots, "/sla/availability", "/timeout"],
        "meaning.freshness" => [.. Slots, "/sla/freshness", "/timeout"],
        "meaning.business_hours" => ["/schedule/calendar", "/sla/freshness"],
        "meaning.max_age" => ["/dependencies/gdp", "/dependencies/max_age"],
        "graph.unknown_kpi" or "graph.unbound_kpi" => ["/dependencies/kpis"],
        "meaning.own_kpi" or "graph.cycle" => [.. Contract, "/dependencies/kpis"],
        "policy.owner" => [.. Contract, "/owners"],
        "policy.sla" => ["/sla"],
        "policy.alerts" => ["/alerts"],
        "contract.missing_dependency" => [.. Contract, "/dependencies/gdp", "/dependencies/kpis"],
        "meaning.filter_value" => [finding.Path + "/value"],
        _ when finding.Rule.StartsWith("contract.", StringComparison.Ordinal) => Contract,
        _ => [],
    };
}
