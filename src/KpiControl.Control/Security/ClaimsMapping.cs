using System.Globalization;
using System.Security.Claims;
using System.Text;
using System.Text.RegularExpressions;

namespace KpiControl.Control.Security;

/// <summary>Puts the issuer's claims into the names that everything behind knows, once for each call.</summary>
internal sealed partial class ClaimsMapping(ClaimsOptions options)
{
    private readonly ILookup<string, string> grants =
        options.Mappings.SelectMany(m => m.Grants.Select(grant => (m.Group, grant))).ToLookup(p => p.Group, p => p.grant, StringComparer.Ordinal);

    /// <summary>Null where the token does not say who calls: what nobody did cannot be audited.</summary>
    public ClaimsPrincipal? Map(ClaimsPrincipal user)
    {
        if (user.FindFirstValue(options.Principal) is not { Length: > 0 and <= 256 } principal || !IsLegible(principal))
            return null;
        var roles = user.FindAll(options.Roles).Select(claim => claim.Value).Concat(OfGroups(user)).Distinct();
        // Claims of our names that the configuration does not name must not slip through beside those it does.
        var kept = user.Claims.Where(claim => claim.Type is not ("sub" or Caller.RolesClaim));
        return new ClaimsPrincipal(new ClaimsIdentity(
            [.. kept, new Claim("sub", principal), .. roles.Select(role => new Claim(Caller.RolesClaim, role))], user.Identity?.AuthenticationType ?? "Bearer"));
    }

    // It stands in audit rows and logs: one line, and what is seen is what is there.
    private static bool IsLegible(string principal) => principal.Trim() == principal && !principal.EnumerateRunes().Any(rune =>
        rune == Rune.ReplacementChar || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);

    private IEnumerable<string> OfGroups(ClaimsPrincipal user)
    {
        var tenants = Names(user, options.Tenants);
        var environments = Names(user, options.Environments);
        return from grant in Values(user, options.Groups).SelectMany(name => grants[name])
               from tenant in grant.Contains(GroupMapping.Tenant, StringComparison.Ordinal) ? tenants : [""]
               from environment in grant.Contains(GroupMapping.Environment, StringComparison.Ordinal) ? environments : [""]
               select grant.Replace(GroupMapping.Tenant, tenant, StringComparison.Ordinal).Replace(GroupMapping.Environment, environment, StringComparison.Ordinal);
    }

    // Of the issuer's values, only a name may stand in a grant: neither a star nor more parts of one.
    private static List<string> Names(ClaimsPrincipal user, string claim) => [.. Values(user, claim).Where(value => Name().IsMatch(value))];

    private static IEnumerable<string> Values(ClaimsPrincipal user, string claim) => claim.Length == 0 ? []
        : user.FindAll(claim).SelectMany(c => claim is "scope" or "scp" ? c.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries) : [c.Value]);

    [GeneratedRegex(@"\A[a-z][a-z0-9_-]{0,62}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}
