namespace KpiControl.Control.Signals;

/// <summary>An open occurrence that waits.</summary>
internal sealed record WaitingOccurrence
{
    public long BindingId { get; init; }
    public DateTimeOffset ScheduledFor { get; init; }
    public DateOnly BusinessDate { get; init; }
    public string Timezone { get; init; } = "UTC";
}

/// <summary>One dependency of a waiting occurrence; without a type, the occurrence depends on nothing.</summary>
internal sealed record DependencyState
{
    public long BindingId { get; init; }
    public DateTimeOffset ScheduledFor { get; init; }
    public string TenantId { get; init; } = "";
    public string? DepType { get; init; }
    public string? DepValue { get; init; }
    /// <summary>Null while the wait has not begun.</summary>
    public string? Environment { get; init; }
    public string? Region { get; init; }
    public DateOnly BusinessDate { get; init; }
    public DateTimeOffset? NeedThrough { get; init; }
    public DateTimeOffset? Since { get; init; }
    public bool Met { get; init; }

    /// <summary>What is missing, in words.</summary>
    public string Missing() => DepType switch
    {
        "gdp" when NeedThrough is { } through => FormattableString.Invariant($"gdp {DepValue} with data through {through.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}"),
        "gdp" => $"gdp {DepValue}",
        "signal" => FormattableString.Invariant($"signal {DepValue} for {BusinessDate:yyyy-MM-dd}"),
        _ => FormattableString.Invariant($"kpi {DepValue} to succeed for {BusinessDate:yyyy-MM-dd}"),
    };
}

/// <summary>An active binding of a KPI that others wait for.</summary>
internal sealed record UpstreamKpi
{
    /// <summary>Which of the waits asked, from 1.</summary>
    public int N { get; init; }
    public long BindingId { get; init; }
    public string JobId { get; init; } = "";
    public string ScheduleCron { get; init; } = "";
    public string Timezone { get; init; } = "UTC";
    public string CanonicalJson { get; init; } = "{}";
    public string? CalendarJson { get; init; }
    public string? OverridesJson { get; init; }
    /// <summary>The last slot of the business date that succeeded.</summary>
    public DateTimeOffset? LastSlot { get; init; }
    /// <summary>Somebody's own run of that date succeeded.</summary>
    public bool ByHand { get; init; }
}
