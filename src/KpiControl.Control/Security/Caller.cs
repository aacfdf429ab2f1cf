using System.Security.Claims;
using KpiControl.Control.Tenants;

namespace KpiControl.Control.Security;

/// <summary>A role in a tenant and environment; <c>*</c> is every environment, or (for the platform operator) every tenant.</summary>
internal sealed record Grant(string Tenant, string Environment, string Role)
{
    /// <summary>
    /// Null where the text is no grant. Only the platform operator's role reaches across tenants: <c>*/…/admin</c> says nothing. A tenant
    /// is a plain name, for row-level security is told the caller's tenants as a list of names.
    /// </summary>
    public static Grant? Parse(string text) =>
        text.Split('/') is [var tenant, { Length: > 0 } environment, var role] && Security.Role.Exists(role) && (tenant == "*" ? role == "platform_operator" : TenantSettings.IsTenant(tenant))
            ? new Grant(tenant, environment, role) : null;
}

/// <summary>Who calls, and what the token says they may do.</summary>
internal sealed record Caller(string Principal, IReadOnlyList<Grant> Grants)
{
    public const string RolesClaim = "kpi_roles";

    public static Caller From(ClaimsPrincipal user) => new(
        user.FindFirstValue("sub") ?? "",
        [.. user.FindAll(RolesClaim).Select(claim => Grant.Parse(claim.Value)).OfType<Grant>()]);

    /// <summary>Whether the verb is granted anywhere: what can be known before the object is.</summary>
    public bool MayAnywhere(Verb verb) => Grants.Any(g => Role.Grants(g.Role, verb));

    public bool May(Verb verb, string tenant, string environment) => Grants.Any(g =>
        (g.Tenant == tenant || g.Tenant == "*") && (g.Environment == environment || g.Environment == "*") && Role.Grants(g.Role, verb));

    /// <summary>Whether the caller has this very role there, or is the tenant's administrator.</summary>
    public bool Holds(string role, string tenant, string environment) => Grants.Any(g =>
        g.Tenant == tenant && (g.Environment == environment || g.Environment == "*") && (g.Role == role || g.Role == "admin"));

    /// <summary>Whether the verb is granted in any environment of the tenant.</summary>
    public bool MayIn(Verb verb, string tenant) => Grants.Any(g => (g.Tenant == tenant || g.Tenant == "*") && Role.Grants(g.Role, verb));

    /// <summary>Whether the verb is granted in all of the tenant: what no environment owns, as the chain of what happened, is shown to nobody else.</summary>
    public bool MayThroughout(Verb verb, string tenant) => TenantSettings.Environments.All(environment => May(verb, tenant, environment));

    /// <summary>Whether the verb is granted in every tenant and environment: what concerns the whole platform asks for no less.</summary>
    public bool MayEverywhere(Verb verb) => Grants.Any(g => g is { Tenant: "*", Environment: "*" } && Role.Grants(g.Role, verb));

    /// <summary>The tenants the verb is granted in; null: all of them.</summary>
    public IReadOnlyList<string>? TenantsFor(Verb verb)
    {
        var granting = Grants.Where(g => Role.Grants(g.Role, verb)).ToList();
        return granting.Exists(g => g.Tenant == "*") ? null : [.. granting.Select(g => g.Tenant).Distinct()];
    }
}
