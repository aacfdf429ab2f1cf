using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using KpiControl.Control.Audit;

namespace KpiControl.Control.Tenants;

/// <summary>The tenants that this installation serves, as configured: <c>Tenants:0:Id</c> and so on.</summary>
internal sealed class TenantsOptions : IValidatableObject
{
    /// <summary>Written to the database at the first start, and again when it changes here: what people changed meanwhile stays. A tenant that is no longer listed stays as it was.</summary>
    public List<TenantSettings> Tenants { get; set; } = [];

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        Tenants.SelectMany((tenant, i) => tenant.Mistakes(string.Create(CultureInfo.InvariantCulture, $"Tenants:{i}")))
            .Concat(Tenants.GroupBy(t => t.Id).Where(g => g.Count() > 1).Select(g => $"Tenants: the id '{g.Key}' stands twice"))
            .Select(mistake => new ValidationResult(mistake));
}

/// <summary>One tenant: where it may run, and what its environments ask for.</summary>
internal sealed partial class TenantSettings
{
    public static readonly IReadOnlyList<string> Environments = ["dev", "stg", "prod"];

    public string Id { get; set; } = "";

    /// <summary>Where a job runs that names no region; empty: each job must name one.</summary>
    public string HomeRegion { get; set; } = "";

    /// <summary>Where its jobs may run; the home region is always one of them.</summary>
    public List<string> Regions { get; set; } = [];

    /// <summary>Share of a lane when more is due than there is credit for.</summary>
    public int Weight { get; set; } = 1;

    /// <summary>By environment (<c>dev, stg, prod</c>); one that is absent has the defaults.</summary>
    public Dictionary<string, PolicySettings> Policies { get; set; } = [];

    public IReadOnlyList<string> AllRegions => [.. Regions.Append(HomeRegion).Where(r => r.Length > 0).Distinct()];

    /// <summary>Of an environment that is not named, the defaults.</summary>
    public IEnumerable<(string Environment, bool IsNamed, PolicyDocument Document)> PolicyDocuments() =>
        Environments.Select(environment => (environment, Policies.ContainsKey(environment), PolicyDocument.Of(environment, Policies.GetValueOrDefault(environment) ?? new PolicySettings())));

    /// <summary>Changes with whatever is configured here.</summary>
    public string Digest() => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        AuditEntry.Json(new { HomeRegion, Regions = AllRegions.Order(StringComparer.Ordinal), Weight, Policies = PolicyDocuments().Where(p => p.IsNamed).Select(p => new { p.Environment, p.Document }) }))));

    public static bool IsTenant(string name) => TenantName().IsMatch(name);

    public static bool IsRegion(string name) => RegionName().IsMatch(name);

    public IEnumerable<string> Mistakes(string at)
    {
        if (!TenantName().IsMatch(Id))
            yield return $"{at}:Id '{Id}' is not a tenant's name (a-z, digits, _ and -, beginning with a letter)";
        foreach (var region in AllRegions.Where(r => !RegionName().IsMatch(r)))
            yield return $"{at}: '{region}' is not a region's name (a-z, digits and -, beginning with a letter)";
        if (Weight is < 1 or > 100)
            yield return $"{at}:Weight is outside of 1 to 100";
        foreach (var environment in Policies.Keys.Except(Environments))
            yield return $"{at}:Policies:{environment} is no environment; there are dev, stg and prod";
    }

    [GeneratedRegex(@"^[a-z][a-z0-9_-]{0,62}\z", RegexOptions.CultureInvariant)]
    private static partial Regex TenantName();

    [GeneratedRegex(@"^[a-z][a-z0-9-]{0,31}\z", RegexOptions.CultureInvariant)]
    private static partial Regex RegionName();
}

/// <summary>What is configured of an environment's policy; what is absent has a default.</summary>
internal sealed class PolicySettings
{
    /// <summary>Absent: true in <c>prod</c>, false elsewhere.</summary>
    public bool? RequiresApproval { get; set; }

    /// <summary>Absent, like the next two: true but in <c>dev</c>.</summary>
    public bool? RequiresOwners { get; set; }
    public bool? RequiresSla { get; set; }
    public bool? RequiresAlerts { get; set; }
}

/// <summary>A policy as stored: versioned, because a run names the one that was in force.</summary>
internal sealed record PolicyDocument
{
    public bool RequiresApproval { get; init; }
    public bool RequiresOwners { get; init; }
    public bool RequiresSla { get; init; }
    public bool RequiresAlerts { get; init; }

    // Absent where there are none: what was stored, and digested, before there were any stays what it was.
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ReleaseWindow>? ReleaseWindows { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<Freeze>? Freezes { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? BreakGlassSeconds { get; init; }

    public static PolicyDocument Of(string environment, PolicySettings settings) => new()
    {
        RequiresApproval = settings.RequiresApproval ?? environment == "prod",
        RequiresOwners = settings.RequiresOwners ?? environment != "dev",
        RequiresSla = settings.RequiresSla ?? environment != "dev",
        RequiresAlerts = settings.RequiresAlerts ?? environment != "dev",
    };
}
