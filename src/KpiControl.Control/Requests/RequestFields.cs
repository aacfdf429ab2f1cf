using System.Globalization;
using KpiControl.Control.Hosting;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Requests;

/// <summary>Fields that several requests have, read the same way everywhere.</summary>
internal static class RequestFields
{
    /// <summary><c>dev</c> where absent.</summary>
    public static string Environment(string environment) => environment switch
    {
        "" => "dev",
        "dev" or "stg" or "prod" => environment,
        _ => throw Reject.Invalid("environment", "is none of dev, stg and prod"),
    };

    /// <summary><c>yaml</c> where absent.</summary>
    public static ArtifactFormat Format(string format) =>
        format.Length == 0 ? ArtifactFormat.Yaml
        : ArtifactFormats.TryParse(format, out var parsed) ? parsed
        : throw Reject.Invalid("format", "is neither yaml nor json");

    /// <summary>Null where absent.</summary>
    public static DateOnly? BusinessDate(string text, string field = "business_date")
    {
        if (text.Length == 0)
            return null;
        return DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date) && date.Year is >= 1990 and < 2100
            ? date
            : throw Reject.Invalid(field, "is not a date like 2026-01-31, from 1990 to 2099");
    }

    public static string Required(string field, string value) =>
        value.Length > 0 ? value : throw Reject.Invalid(field, "is missing");

    /// <summary>The tenant asked for, or the caller's only one; where the caller may not act for it, it is not there.</summary>
    public static string Tenant(Caller caller, string tenant, Verb verb)
    {
        if (tenant.Length == 0)
            tenant = caller.TenantsFor(Verb.List) is [var only] ? only : throw Reject.Invalid("tenant", "is missing");
        if (!caller.MayIn(Verb.List, tenant))
            throw Reject.NotFound($"The tenant {tenant}");
        return caller.MayIn(verb, tenant) ? tenant : throw Reject.Denied(verb.ToString());
    }

    /// <summary>The same for what holds all of the tenant's environments beside each other.</summary>
    public static string WholeTenant(Caller caller, string tenant, Verb verb) =>
        Tenant(caller, tenant, verb) is var known && caller.MayThroughout(verb, known) ? known : throw Reject.Denied($"{verb} in every environment of the tenant");

    /// <summary>The same for a change: what was demanded is remembered.</summary>
    public static string TenantToChange(RequestTransaction tx, string tenant, Verb verb)
    {
        var known = Tenant(tx.Caller, tenant, verb);
        tx.Demanded.Add(new DemandedVerb(verb, known, "*"));
        return known;
    }
}
