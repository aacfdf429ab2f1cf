using System.Security.Claims;

namespace KpiControl.Control.Security;

/// <summary>An agent as its token names it.</summary>
internal sealed record AgentIdentity(string Agent, string Region, IReadOnlyList<string> Tenants)
{
    /// <summary>Null where the token is not an agent's.</summary>
    public static AgentIdentity? From(ClaimsPrincipal user)
    {
        var agent = user.FindFirstValue("kpi_agent");
        var region = user.FindFirstValue("kpi_region");
        var tenants = user.FindAll("kpi_tenants").Select(claim => claim.Value).Distinct().Order(StringComparer.Ordinal).ToList();
        return agent is null || region is null || tenants.Count == 0 ? null : new AgentIdentity(agent, region, tenants);
    }
}
