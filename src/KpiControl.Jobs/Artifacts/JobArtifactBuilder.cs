using System.Globalization;
using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Artifacts;

/// <summary>The typed job of a canonical tree that passed the schema; absent members take their default from <see cref="JobFields"/>.</summary>
internal static class JobArtifactBuilder
{
    public static JobArtifact Build(ArtifactNode root) => new()
    {
        SchemaVersion = Text(root, "/schema_version"),
        JobId = root["job_id"]!.Text,
        Tenant = root["tenant"]!.Text,
        KpiId = root["kpi_id"]!.Text,
        ContractVersion = root["contract_version"]!.Text,
        Description = root["description"]?.Text,
        Labels = Texts(root["labels"]),
        Criticality = root["criticality"]?.Text,
        Owners = root["owners"] is { } owners ? new JobOwners(owners["business"]?.Text, owners["technical"]?.Text) : null,
        Schedule = Schedule(root["schedule"]),
        Dependencies = Dependencies(root["dependencies"]),
        Sla = Sla(root["sla"]),
        Retry = Retry(root["retry"]),
        Timeout = Duration(root, "/timeout"),
        Alerts = [.. Items(root["alerts"]).Select(Alert)],
        Run = Run(root["run"]),
        Runtime = Runtime(root["runtime"]),
        Extensions = root.Members.Where(m => m.Name.StartsWith("x-", StringComparison.Ordinal)).ToDictionary(m => m.Name, m => m.Value.ToJson()),
    };

    private static JobScheduleSpec Schedule(ArtifactNode? node) => new()
    {
        Type = node!["type"]!.Text,
        Expression = node["expression"]?.Text ?? "",
        Timezone = Text(node, "/schedule/timezone"),
        Calendar = node["calendar"]?.Text,
        StartAt = node["start_at"]?.Text,
        EndAt = node["end_at"]?.Text,
        Catchup = Text(node, "/schedule/catchup"),
        CatchupWindow = Duration(node, "/schedule/catchup_window"),
        Overlap = Text(node, "/schedule/overlap"),
        Spread = Duration(node["spread"]),
        DayMatch = node["day_match"]?.Text,
        On = Texts(node["on"]),
    };

    private static JobDependencies Dependencies(ArtifactNode? node) => new()
    {
        Gdp = Texts(node?["gdp"]),
        Signals = Texts(node?["signals"]),
        Kpis = [.. Items(node?["kpis"]).Select(k => new KpiReference(k["kpi_id"]!.Text, k["contract_version"]!.Text))],
        BusinessDate = Text(node, "/dependencies/business_date"),
        WaitTimeout = Duration(node?["wait_timeout"]),
        MaxAge = Members(node?["max_age"]).ToDictionary(m => m.Name, m => Duration(m.Value)!.Value),
    };

    private static JobSla? Sla(ArtifactNode? node) => node is null ? null : new JobSla
    {
        Freshness = Target(node["freshness"]),
        Latency = Target(node["latency"]),
        Availability = node["availability"] is { } by
            ? new SlaAvailability(TimeOnly.ParseExact(TargetOf(by).Text, "HH:mm", CultureInfo.InvariantCulture), Duration(by["grace"]))
            : null,
        OnBreach = Text(node, "/sla/on_breach"),
    };

    private static SlaTarget? Target(ArtifactNode? node) => node is null ? null : new SlaTarget(Duration(TargetOf(node))!.Value, Duration(node["grace"])) { BusinessHours = node["business_hours"]?.Text };

    private static ArtifactNode TargetOf(ArtifactNode node) => node["target"] ?? node;

    private static JobRetry Retry(ArtifactNode? node) => new()
    {
        MaxRetries = Integer(node, "/retry/max_retries"),
        Backoff = Text(node, "/retry/backoff"),
        Initial = Duration(node, "/retry/initial"),
        Max = Duration(node, "/retry/max"),
    };

    private static JobAlert Alert(ArtifactNode node) =>
        new(node["channel"]!.Text, node["severity"]!.Text, node["on"] is { } on ? Texts(on) : [.. Default("/alerts/*/on").AsArray().Select(e => e!.GetValue<string>())]);

    private static JobRun Run(ArtifactNode? node) => new()
    {
        Profile = node?["stage_set"] is null ? Text(node, "/run/profile") : node["profile"]?.Text,
        StageSet = Texts(node?["stage_set"]),
        ConnId = Text(node, "/run/conn_id"),
        OnRuleFail = Text(node, "/run/on_rule_fail"),
        Priority = Integer(node, "/run/priority"),
        AgentLabels = Texts(node?["agent_labels"]),
    };

    private static JobRuntime Runtime(ArtifactNode? node) => new()
    {
        ScdView = Text(node, "/runtime/scd_view"),
        Time = node?["time"]?.ToJson() as JsonObject,
        Dimensions = Texts(node?["dimensions"]),
        Extensions = Members(node?["extensions"]).ToDictionary(m => m.Name, m => Texts(m.Value)),
        Filters = [.. Items(node?["filters"]).Select(f => new JobFilter(f["field"]!.Text, f["op"]!.Text, f["value"]?.ToJson()))],
    };

    private static IReadOnlyList<ArtifactNode> Items(ArtifactNode? node) => node?.Items ?? [];

    private static IReadOnlyList<ArtifactMember> Members(ArtifactNode? node) => node?.Members ?? [];

    private static IReadOnlyList<string> Texts(ArtifactNode? node) => [.. Items(node).Select(i => i.Text)];

    private static JsonNode Default(string pointer) => JsonNode.Parse(JobFields.DefaultOf(pointer))!;

    private static ArtifactNode? Member(ArtifactNode? parent, string pointer) => parent?[pointer[(pointer.LastIndexOf('/') + 1)..]];

    private static string Text(ArtifactNode? parent, string pointer) => Member(parent, pointer)?.Text ?? Default(pointer).GetValue<string>();

    private static int Integer(ArtifactNode? parent, string pointer) => Member(parent, pointer) is { } node ? (int)node.Number : Default(pointer).GetValue<int>();

    private static TimeSpan Duration(ArtifactNode? parent, string pointer) => Duration(Member(parent, pointer)) ?? Duration(Default(pointer).GetValue<string>());

    private static TimeSpan? Duration(ArtifactNode? node) => node is null ? null : Duration(node.Text);

    // A length beyond what a TimeSpan holds has its finding (meaning.duration); the job that carries it is not run.
    private static TimeSpan Duration(string text) => Durations.TryParse(text, out var duration) ? duration : TimeSpan.MaxValue;
}
