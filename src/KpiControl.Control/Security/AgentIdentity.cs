using System.Globalization;
using System.Security.Claims;
using KpiControl.Control.Tenants;

namespace KpiControl.Control.Security;

/// <summary>An agent as its token or its certificate names it.</summary>
/// <param name="Tenants">A token names them; of an agent with a certificate the database knows them.</param>
internal sealed record AgentIdentity(string Agent, string Region, IReadOnlyList<string> Tenants, CertificateFacts? Certificate = null)
{
    /// <summary>The type of an identity that stands on a certificate: no claim of a token makes one.</summary>
    public const string CertificateScheme = "AgentCertificate";

    private const string AgentClaim = "kpi_agent", RegionClaim = "kpi_region", FromClaim = "not_before", UntilClaim = "not_after", ExpiredClaim = "expired";

    /// <summary>Null where the token is not an agent's.</summary>
    public static AgentIdentity? From(ClaimsPrincipal user)
    {
        var agent = user.FindFirstValue(AgentClaim);
        var region = user.FindFirstValue(RegionClaim);
        if (agent is null || region is null)
            return null;
        if (user.Identity is ClaimsIdentity { AuthenticationType: CertificateScheme })
            return new AgentIdentity(agent, region, [], new CertificateFacts(Instant(user, FromClaim), Instant(user, UntilClaim), user.HasClaim(ExpiredClaim, "true")));
        if (!AgentUri.IsName(agent) || !AgentUri.IsRegion(region))
            return null;
        var tenants = user.FindAll("kpi_tenants").Select(claim => claim.Value).Where(TenantSettings.IsTenant).Distinct().Order(StringComparer.Ordinal).ToList();
        return tenants.Count == 0 ? null : new AgentIdentity(agent, region, tenants);
    }

    public static ClaimsPrincipal Of(AgentUri uri, CertificateFacts facts) => new(new ClaimsIdentity(
    [
        new Claim("sub", uri.Agent), new Claim(AgentClaim, uri.Agent), new Claim(RegionClaim, uri.Region), new Claim(ExpiredClaim, facts.IsExpired ? "true" : "false"),
        new Claim(FromClaim, Text(facts.NotBefore)), new Claim(UntilClaim, Text(facts.NotAfter)),
    ], CertificateScheme));

    private static string Text(DateTimeOffset instant) => instant.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);

    private static DateTimeOffset Instant(ClaimsPrincipal user, string claim) =>
        DateTimeOffset.FromUnixTimeSeconds(long.Parse(user.FindFirstValue(claim)!, CultureInfo.InvariantCulture));
}

/// <param name="IsExpired">And may still be renewed.</param>
internal sealed record CertificateFacts(DateTimeOffset NotBefore, DateTimeOffset NotAfter, bool IsExpired);
