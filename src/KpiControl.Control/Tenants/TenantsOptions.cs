using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.RegularExpressions;

namespace KpiControl.Control.Tenants;

/// <summary>The tenants that this installation serves, as configured: <c>Tenants:0:Id</c> and so on.</summary>
internal sealed class TenantsOptions : IValidatableObject
{
    /// <summary>Written to the database at start. A tenant that is no longer listed stays as it was.</summary>
    public List<TenantSettings> Tenants { get; set; } = [];

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        Tenants.SelectMany((tenant, i) => tenant.Mistakes(string.Create(CultureInfo.InvariantCulture, $"Tenants:{i}")))
            .Concat(Tenants.GroupBy(t => t.Id).Where(g => g.Count() > 1).Select(g => $"Tenants: the id '{g.Key}' stands twice"))
            .Select(mistake => new ValidationResult(mistake));
}

/// <summary>One tenant: where it may run, and what its environments ask for.</summary>
internal sealed partial class TenantSettings
{
    private static readonly string[] Environments = ["dev", "stg", "prod"];

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

    public IEnumerable<(string Environment, PolicyDocument Document)> PolicyDocuments() => Environments.Select(environment =>
        (environment, new PolicyDocument { RequiresApproval = Policies.GetValueOrDefault(environment)?.RequiresApproval ?? environment == "prod" }));

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

/// <summary>What is configured of an environment's policy.</summary>
internal sealed class PolicySettings
{
    /// <summary>Absent: true in <c>prod</c>, false elsewhere.</summary>
    public bool? RequiresApproval { get; set; }
}

/// <summary>A policy as stored: versioned, because a run names the one that was in force.</summary>
internal sealed record PolicyDocument
{
    public bool RequiresApproval { get; init; }
}
