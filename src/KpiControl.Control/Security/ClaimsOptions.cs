using System.ComponentModel.DataAnnotations;
using System.Globalization;

namespace KpiControl.Control.Security;

/// <summary>Which claims of the issuer's tokens say who calls and what they may do.</summary>
internal sealed class ClaimsOptions : IValidatableObject
{
    public const string Section = "Authentication:Claims";

    /// <summary>The claim that names the caller: what approvals and the audit trail record.</summary>
    [Required(ErrorMessage = "Authentication:Claims:Principal is missing: the claim that names the caller, usually sub")]
    public string Principal { get; set; } = "sub";

    /// <summary>The claim whose values are grants, <c>tenant/environment/role</c>.</summary>
    [Required(ErrorMessage = "Authentication:Claims:Roles is missing: the claim whose values are tenant/environment/role")]
    public string Roles { get; set; } = Caller.RolesClaim;

    /// <summary>The claim whose values are names of groups or roles of the issuer's, given grants by <see cref="Mappings"/>; empty: none.</summary>
    public string Groups { get; set; } = "";

    /// <summary>The claim whose values are the caller's tenants: what <c>{tenant}</c> stands for in a mapping; empty: none.</summary>
    public string Tenants { get; set; } = "";

    /// <summary>The claim whose values are environments: what <c>{environment}</c> stands for in a mapping; empty: none.</summary>
    public string Environments { get; set; } = "";

    public List<GroupMapping> Mappings { get; set; } = [];

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Mappings.Count > 0 && Groups.Length == 0)
            yield return new ValidationResult("Authentication:Claims:Mappings has entries, but Authentication:Claims:Groups does not say which claim holds the groups");
        if (Groups.Length > 0 && Mappings.Count == 0)
            yield return new ValidationResult("Authentication:Claims:Groups names a claim, but Authentication:Claims:Mappings is empty: no group would grant anything");
        for (var i = 0; i < Mappings.Count; i++)
            foreach (var mistake in Mappings[i].Mistakes(Tenants.Length > 0, Environments.Length > 0))
                yield return new ValidationResult(string.Create(CultureInfo.InvariantCulture, $"Authentication:Claims:Mappings:{i}: {mistake}"));
    }
}

/// <summary>What the members of a group may do.</summary>
internal sealed class GroupMapping
{
    public const string Tenant = "{tenant}", Environment = "{environment}";

    public string Group { get; set; } = "";

    /// <summary><c>acme/*/viewer</c>, or <c>{tenant}/{environment}/publisher</c> for each that the token names.</summary>
    public List<string> Grants { get; set; } = [];

    public IEnumerable<string> Mistakes(bool hasTenants, bool hasEnvironments)
    {
        if (Group.Length == 0)
            yield return "Group is missing";
        if (Grants.Count == 0)
            yield return $"the group '{Group}' has no Grants";
        foreach (var grant in Grants)
        {
            if (Security.Grant.Parse(grant.Replace(Tenant, "x", StringComparison.Ordinal).Replace(Environment, "dev", StringComparison.Ordinal)) is not { Environment: "dev" or "stg" or "prod" or "*" })
                yield return $"'{grant}' is not tenant/environment/role with an environment of dev, stg, prod and * and a role of docs/authorization.md (only platform_operator may have * as its tenant)";
            if (grant.Contains(Tenant, StringComparison.Ordinal) && !hasTenants)
                yield return $"'{grant}' has {Tenant}, but Authentication:Claims:Tenants does not say which claim holds the tenants";
            if (grant.Contains(Environment, StringComparison.Ordinal) && !hasEnvironments)
                yield return $"'{grant}' has {Environment}, but Authentication:Claims:Environments does not say which claim holds the environments";
        }
    }
}
