using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Contracts;

/// <summary>What a tenant's environment asks of a job: stage 6 of validation.</summary>
public sealed record EnvironmentPolicy
{
    /// <summary><c>dev</c>, <c>stg</c> or <c>prod</c>.</summary>
    public required string Environment { get; init; }
    /// <summary>Regions in which the tenant's jobs may run; empty: none.</summary>
    public IReadOnlyList<string> AllowedRegions { get; init; } = [];
    /// <summary>Principals of the tenant; null where they are not known here, and then any name passes.</summary>
    public IReadOnlySet<string>? Principals { get; init; }

    /// <summary>A business and a technical owner, of the job or its contract.</summary>
    public required bool RequiresOwners { get; init; }
    public required bool RequiresSla { get; init; }
    public required bool RequiresAlerts { get; init; }

    /// <summary>Where nothing else was said: all of them but in <c>dev</c>.</summary>
    public static EnvironmentPolicy Usual(string environment) => new()
    {
        Environment = environment, RequiresOwners = environment != "dev", RequiresSla = environment != "dev", RequiresAlerts = environment != "dev",
    };

    /// <param name="contract">Supplies the owners that the job leaves out; null where it is not known.</param>
    /// <param name="region">Where the job is to be bound, the tenant's home region filled in; null where there is none.</param>
    public IReadOnlyList<Finding> Check(JobArtifact job, MetricContract? contract, string? region) =>
    [
        .. Region(region),
        .. !RequiresOwners ? [] : Owner("business", job.Owners?.Business ?? contract?.OwnerBusiness),
        .. !RequiresOwners ? [] : Owner("technical", job.Owners?.Technical ?? contract?.OwnerTechnical),
        .. !RequiresSla || job.Sla is { Freshness: not null } or { Latency: not null } or { Availability: not null } ? Array.Empty<Finding>()
            : [Missing("/sla", "policy.sla", $"A job in {Environment} has an SLA.", "Add sla with freshness, latency or availability.")],
        .. !RequiresAlerts || job.Alerts.Count > 0 ? Array.Empty<Finding>()
            : [Missing("/alerts", "policy.alerts", $"A job in {Environment} has an alert route.", "Add alerts with a channel and a severity.")],
    ];

    private Finding[] Region(string? region)
    {
        if (region is null)
            return [Missing("", "policy.region", "No region is named, and the tenant has no home region.", Allowed())];
        return AllowedRegions.Contains(region) ? []
            : [Missing("", "policy.region", $"The tenant's jobs may not run in region {region}.", Allowed())];
    }

    private string Allowed() => AllowedRegions.Count > 0 ? $"Name one of: {string.Join(", ", AllowedRegions)}." : "An operator must allow the tenant a region first.";

    private Finding[] Owner(string role, string? principal)
    {
        if (principal is null)
            return [Missing("/owners", "policy.owner", $"A job in {Environment} has a {role} owner, and neither the job nor its contract names one.", $"Add owners.{role}.")];
        return Principals is null || Principals.Contains(principal) ? []
            : [Missing("/owners", "policy.owner", $"The {role} owner {principal} is not a principal of the tenant.", $"Set owners.{role} to one who is.")];
    }

    private static Finding Missing(string path, string rule, string message, string hint) => new(path, 0, 0, rule, Severity.Error, message, hint);
}
