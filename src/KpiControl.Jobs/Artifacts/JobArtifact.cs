using System.Text.Json.Nodes;

namespace KpiControl.Jobs.Artifacts;

/// <summary>
/// A KPI job as its author meant it: the typed form of an artifact that passed the schema, with every default
/// filled in. The meaning's identity is the <see cref="ContentHash"/> of its canonical form, never of this record.
/// </summary>
/// <remarks>Source: the field table of <c>docs/authoring.md</c>; names are those of the artifact.</remarks>
public sealed record JobArtifact
{
    public required string SchemaVersion { get; init; }
    public required string JobId { get; init; }
    public required string Tenant { get; init; }
    public required string KpiId { get; init; }
    /// <summary>SemVer 2.0, as written.</summary>
    public required string ContractVersion { get; init; }
    public string? Description { get; init; }
    public IReadOnlyList<string> Labels { get; init; } = [];
    public string? Criticality { get; init; }
    public JobOwners? Owners { get; init; }
    public required JobScheduleSpec Schedule { get; init; }
    public JobDependencies Dependencies { get; init; } = new();
    public JobSla? Sla { get; init; }
    public JobRetry Retry { get; init; } = new();
    /// <summary>Of one attempt.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(15);
    public IReadOnlyList<JobAlert> Alerts { get; init; } = [];
    public JobRun Run { get; init; } = new();
    public JobRuntime Runtime { get; init; } = new();
    /// <summary>The top level's <c>x-…</c> members, as written.</summary>
    public IReadOnlyDictionary<string, JsonNode?> Extensions { get; init; } = new Dictionary<string, JsonNode?>();
}

/// <summary>Principals of the tenant; an absent one is the contract's.</summary>
public sealed record JobOwners(string? Business, string? Technical);

/// <summary>When a job runs: <c>cron</c>, <c>event</c> or <c>manual</c>.</summary>
public sealed record JobScheduleSpec
{
    /// <summary><c>cron</c>, <c>event</c> or <c>manual</c>.</summary>
    public required string Type { get; init; }
    /// <summary>Five or six fields or a macro; empty for event and manual jobs.</summary>
    public string Expression { get; init; } = "";
    /// <summary>IANA name, as spelt by the author.</summary>
    public string Timezone { get; init; } = "UTC";
    public string? Calendar { get; init; }
    /// <summary>A day, a local time, or an instant: no slot lies before it. A day alone is the whole day.</summary>
    public string? StartAt { get; init; }
    /// <summary>No slot lies after it.</summary>
    public string? EndAt { get; init; }
    /// <summary><c>none</c>, <c>latest</c> or <c>all</c>.</summary>
    public string Catchup { get; init; } = "latest";
    public TimeSpan CatchupWindow { get; init; } = TimeSpan.FromHours(24);
    /// <summary><c>skip</c>, <c>queue_one</c>, <c>allow</c> or <c>cancel_previous</c>.</summary>
    public string Overlap { get; init; } = "skip";
    /// <summary>Each slot is moved by less than this, by a hash of the binding.</summary>
    public TimeSpan? Spread { get; init; }
    /// <summary><c>all</c> where both day fields are restricted, else null.</summary>
    public string? DayMatch { get; init; }
    /// <summary>Of an event job: the signals of which each starts a run.</summary>
    public IReadOnlyList<string> On { get; init; } = [];

    /// <summary>Whether both have the same slots, whatever becomes of them.</summary>
    public bool HasSlotsOf(JobScheduleSpec other) => Places(this) == Places(other);

    private static (string, string, string, string?, string?, TimeSpan?, string?) Places(JobScheduleSpec spec) =>
        (spec.Type, spec.Expression, spec.Timezone, spec.StartAt, spec.EndAt, spec.Spread, spec.Calendar);
}

/// <summary>What an occurrence waits for.</summary>
public sealed record JobDependencies
{
    public IReadOnlyList<string> Gdp { get; init; } = [];
    public IReadOnlyList<string> Signals { get; init; } = [];
    public IReadOnlyList<KpiReference> Kpis { get; init; } = [];
    /// <summary><c>previous</c> (the last local day that had ended at the slot) or <c>current</c>.</summary>
    public string BusinessDate { get; init; } = "previous";
    /// <summary>Null: until just before the next occurrence.</summary>
    public TimeSpan? WaitTimeout { get; init; }
    /// <summary>By GDP table: the oldest refresh that still counts.</summary>
    public IReadOnlyDictionary<string, TimeSpan> MaxAge { get; init; } = new Dictionary<string, TimeSpan>();
}

/// <summary>A KPI at a pinned contract version.</summary>
public sealed record KpiReference(string KpiId, string ContractVersion)
{
    /// <summary>As stored in <c>kpi_job_dependency.dep_value</c>.</summary>
    public override string ToString() => $"{KpiId}@{ContractVersion}";
}

/// <summary>Targets to be met; a clock that is absent is null.</summary>
public sealed record JobSla
{
    public SlaTarget? Freshness { get; init; }
    public SlaTarget? Latency { get; init; }
    /// <summary>Delivered by this wall-clock time in the schedule's zone.</summary>
    public SlaAvailability? Availability { get; init; }
    /// <summary><c>alert</c>, <c>fallback</c> or <c>halt</c>.</summary>
    public string OnBreach { get; init; } = "alert";
}

/// <summary>A duration to be met; an absent grace is 15 minutes or a tenth of the target, whichever is longer.</summary>
public sealed record SlaTarget(TimeSpan Target, TimeSpan? Grace)
{
    /// <summary>Of freshness: what counts of the business days of the schedule's calendar, as in <c>09:00-17:00</c>; null: all time does.</summary>
    public string? BusinessHours { get; init; }

    /// <summary>The grace in force.</summary>
    public TimeSpan GraceInForce => Grace ?? JobFields.DefaultGrace(Target);
}

/// <summary>A wall-clock time <c>HH:mm</c> to be met.</summary>
public sealed record SlaAvailability(TimeOnly Target, TimeSpan? Grace);

public sealed record JobRetry
{
    /// <summary>0 to 20; attempts are one more.</summary>
    public int MaxRetries { get; init; }
    /// <summary><c>none</c>, <c>fixed</c> or <c>exponential</c>.</summary>
    public string Backoff { get; init; } = "exponential";
    public TimeSpan Initial { get; init; } = TimeSpan.FromSeconds(30);
    public TimeSpan Max { get; init; } = TimeSpan.FromMinutes(15);
}

/// <summary>Where to tell whom: <c>slack:#name</c>, <c>email:a@b</c>, <c>opsgenie:team</c>, …</summary>
public sealed record JobAlert(string Channel, string Severity, IReadOnlyList<string> On);

public sealed record JobRun
{
    public string? Profile { get; init; }
    public IReadOnlyList<string> StageSet { get; init; } = [];
    /// <summary>Which of the agent's connections executes the call.</summary>
    public string ConnId { get; init; } = "default";
    /// <summary><c>suppress</c>, <c>warn</c> or <c>last_good</c>.</summary>
    public string OnRuleFail { get; init; } = "suppress";
    /// <summary>1 to 5, 1 first.</summary>
    public int Priority { get; init; } = 3;
    public IReadOnlyList<string> AgentLabels { get; init; } = [];
}

/// <summary>The defaults of the KPI Call.</summary>
public sealed record JobRuntime
{
    /// <summary><c>as_reported</c> or <c>restated</c>.</summary>
    public string ScdView { get; init; } = "as_reported";
    /// <summary>As in the KPI Call, or null: the contract's grain, every period that had ended by the end of the business date.</summary>
    public JsonObject? Time { get; init; }
    /// <summary>Empty: those of the contract's primary key without the period.</summary>
    public IReadOnlyList<string> Dimensions { get; init; } = [];
    /// <summary>By category (<c>time, entity, benchmark, scenario, analytical</c>).</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Extensions { get; init; } = new Dictionary<string, IReadOnlyList<string>>();
    public IReadOnlyList<JobFilter> Filters { get; init; } = [];
}

/// <summary>One condition; <see cref="Value"/> is a scalar, an array (<c>in, not_in, between</c>) or null (<c>is_null, is_not_null</c>).</summary>
public sealed record JobFilter(string Field, string Op, JsonNode? Value);
