using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Contracts;

/// <summary>What a KPI is, at one version that never changes: what a job refers to as <c>kpi_id</c> and <c>contract_version</c>.</summary>
/// <remarks>Source: <c>docs/contracts.md</c>; names are those of the document.</remarks>
public sealed record MetricContract
{
    public required string ContractId { get; init; }
    public required string KpiId { get; init; }
    /// <summary>SemVer 2.0, as written.</summary>
    public required string Version { get; init; }
    /// <summary>A word of <see cref="ContractStatus"/>. It moves while the version stands, so it is no part of the digest.</summary>
    public required string Status { get; init; }
    /// <summary><c>primary</c> (from GDP tables), <c>secondary</c> (from KPIs) or <c>composite</c> (an index of KPIs).</summary>
    public required string Layer { get; init; }
    public string? OwnerTeam { get; init; }
    /// <summary>A principal of the tenant.</summary>
    public string? OwnerBusiness { get; init; }
    /// <summary>A principal of the tenant.</summary>
    public string? OwnerTechnical { get; init; }
    public string? LineageId { get; init; }
    public string? Classification { get; init; }
    /// <summary>Golden Data Points that the expression reads.</summary>
    public IReadOnlyList<string> GdpDependencies { get; init; } = [];
    /// <summary>Upstream KPIs at pinned versions (<c>ID@version</c> in the document).</summary>
    public IReadOnlyList<KpiReference> KpiDependencies { get; init; } = [];
    /// <summary><c>day, week, month, quarter</c> or <c>year</c>.</summary>
    public required string Grain { get; init; }
    public IReadOnlyList<ContractField> Dimensions { get; init; } = [];
    /// <summary>Fields beside the dimensions that a call may filter by.</summary>
    public IReadOnlyList<ContractField> Filters { get; init; } = [];
    public required IReadOnlyList<ContractMetric> Metrics { get; init; }
    /// <summary>By category (<c>time, entity, benchmark, scenario, analytical</c>): what a call may ask for.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Extensions { get; init; } = new Dictionary<string, IReadOnlyList<string>>();
    public int? FreshnessSlaMinutes { get; init; }
    /// <summary>Dimensions of the key; <c>period</c> always belongs to it and is left out here.</summary>
    public IReadOnlyList<string> KeyDimensions { get; init; } = [];
    /// <summary>SQL template; null for a KPI that only a KPI service computes.</summary>
    public string? ExpressionText { get; init; }
    public IReadOnlyList<ContractRule> PreValidation { get; init; } = [];
    public IReadOnlyList<ContractRule> PostValidation { get; init; } = [];

    public KpiReference Reference => new(KpiId, Version);

    /// <summary>A field that a call may filter by, or null.</summary>
    public ContractField? FilterField(string name) => Dimensions.Concat(Filters).FirstOrDefault(field => field.Name == name);
}

/// <param name="DataType">A word of <see cref="ContractTypes"/>.</param>
public sealed record ContractField(string Name, string DataType);

/// <param name="MetricType">As the platform says: <c>ratio, sum, index</c>, …</param>
/// <param name="DataType">A word of <see cref="ContractTypes"/>.</param>
public sealed record ContractMetric(string Name, string? MetricType, string DataType, string? Unit);

/// <summary>What must hold before (<c>no_rows</c>) or after (<c>range, not_null, row_count</c>) a call.</summary>
public sealed record ContractRule
{
    public required string RuleId { get; init; }
    public required string Check { get; init; }
    /// <summary>For <c>no_rows</c>: an SQL template that returns what breaks the rule.</summary>
    public string? Text { get; init; }
    /// <summary><c>value</c>, a metric's name, or a time extension of the contract.</summary>
    public string Of { get; init; } = "value";
    public double? Min { get; init; }
    public double? Max { get; init; }
    public string? Message { get; init; }
}

/// <summary>The life of a contract's version, in order.</summary>
public static class ContractStatus
{
    public const string Draft = "draft";
    public const string Proposed = "proposed";
    public const string Approved = "approved";
    public const string Active = "active";
    public const string Deprecated = "deprecated";
    public const string Retired = "retired";

    public static IReadOnlyList<string> All { get; } = [Draft, Proposed, Approved, Active, Deprecated, Retired];

    /// <summary>Whether a version may go from one status to another: forward only, and a rejected proposal back to draft.</summary>
    public static bool MayBecome(string from, string to) => (from, to) switch
    {
        (Proposed or Approved, Draft) => true,
        (Deprecated, Active) => true,
        _ => All.Contains(from) && All.Contains(to) && All.ToList().IndexOf(to) > All.ToList().IndexOf(from),
    };
}

/// <summary>Types of dimensions, filters and metrics.</summary>
public static class ContractTypes
{
    public static IReadOnlyList<string> All { get; } = ["VARCHAR", "INTEGER", "BIGINT", "DOUBLE", "DECIMAL", "BOOLEAN", "DATE", "TIMESTAMP"];
}
