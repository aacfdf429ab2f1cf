using System.Collections.Frozen;
using System.Text.Json.Nodes;

namespace KpiControl.Jobs.Artifacts;

/// <summary>How a field's spelling is normalised before it is hashed.</summary>
internal enum FieldKind
{
    /// <summary>As written.</summary>
    Plain,
    /// <summary>One spelling per length of time.</summary>
    Duration,
    /// <summary>A duration, or an object with a target and a grace: a target alone is written bare.</summary>
    Target,
    /// <summary>An array whose order and repetitions mean nothing.</summary>
    Set,
}

/// <summary>What the canonical form knows about a field. Pointers have <c>*</c> for any index or name.</summary>
internal sealed record JobField(string Pointer, FieldKind Kind, string? Default)
{
    public JsonNode? DefaultValue => Default is null ? null : JsonNode.Parse(Default);
}

/// <summary>
/// The one table of defaults: the canonical form removes them, the typed job fills them in, the schema and the
/// documentation are held to it by tests. A changed default changes what existing hashes mean: it needs a new schema_version.
/// </summary>
internal static class JobFields
{
    public static readonly IReadOnlyList<JobField> All =
    [
        new("/schema_version", FieldKind.Plain, "\"1.0\""),
        new("/labels", FieldKind.Set, null),
        new("/schedule/timezone", FieldKind.Plain, "\"UTC\""),
        new("/schedule/catchup", FieldKind.Plain, "\"latest\""),
        new("/schedule/catchup_window", FieldKind.Duration, "\"1d\""),
        new("/schedule/overlap", FieldKind.Plain, "\"skip\""),
        new("/schedule/spread", FieldKind.Duration, null),
        new("/schedule/on", FieldKind.Set, null),
        new("/dependencies/gdp", FieldKind.Set, null),
        new("/dependencies/signals", FieldKind.Set, null),
        new("/dependencies/kpis", FieldKind.Set, null),
        new("/dependencies/business_date", FieldKind.Plain, "\"previous\""),
        new("/dependencies/wait_timeout", FieldKind.Duration, null),
        new("/dependencies/max_age/*", FieldKind.Duration, null),
        new("/sla/freshness", FieldKind.Target, null),
        new("/sla/freshness/target", FieldKind.Duration, null),
        new("/sla/freshness/grace", FieldKind.Duration, null),
        new("/sla/freshness/business_hours", FieldKind.Plain, null),
        new("/sla/latency", FieldKind.Target, null),
        new("/sla/latency/target", FieldKind.Duration, null),
        new("/sla/latency/grace", FieldKind.Duration, null),
        new("/sla/availability", FieldKind.Target, null),
        new("/sla/availability/grace", FieldKind.Duration, null),
        new("/sla/on_breach", FieldKind.Plain, "\"alert\""),
        new("/retry/max_retries", FieldKind.Plain, "0"),
        new("/retry/backoff", FieldKind.Plain, "\"exponential\""),
        new("/retry/initial", FieldKind.Duration, "\"30s\""),
        new("/retry/max", FieldKind.Duration, "\"15m\""),
        new("/timeout", FieldKind.Duration, "\"15m\""),
        new("/alerts", FieldKind.Set, null),
        new("/alerts/*/on", FieldKind.Set, "[\"failure\",\"recovered\",\"sla_breach\"]"),
        new("/run/profile", FieldKind.Plain, "\"kpi_only\""),
        new("/run/stage_set", FieldKind.Set, null),
        new("/run/conn_id", FieldKind.Plain, "\"default\""),
        new("/run/on_rule_fail", FieldKind.Plain, "\"suppress\""),
        new("/run/priority", FieldKind.Plain, "3"),
        new("/run/agent_labels", FieldKind.Set, null),
        new("/runtime/scd_view", FieldKind.Plain, "\"as_reported\""),
    ];

    private static readonly FrozenDictionary<string, JobField> ByPointer = All.ToFrozenDictionary(f => f.Pointer, StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, string> Defaults =
        All.Where(f => f.Default is not null).ToFrozenDictionary(f => f.Pointer, f => f.Default!, StringComparer.Ordinal);

    public static JobField? Find(string pointer) => ByPointer.GetValueOrDefault(pointer);

    /// <summary>JSON text of the default of a field that has one.</summary>
    public static string DefaultOf(string pointer) => Defaults[pointer];

    /// <summary>The grace of a target that names none: 15 minutes or a tenth, whichever is longer.</summary>
    public static TimeSpan DefaultGrace(TimeSpan target) =>
        TimeSpan.FromSeconds(Math.Max(15 * 60, Math.Floor(target.TotalSeconds / 10)));
}
