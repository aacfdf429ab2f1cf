using System.Text.RegularExpressions;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;

namespace KpiControl.Control.Signals;

/// <summary>What a publish must say, and where the caller may say it.</summary>
internal static partial class PublishChecks
{
    public static async Task<PublishTarget> TargetAsync(RequestTransaction tx, string tenant, string environment, string region)
    {
        var known = Tenant(tx.Caller, tenant);
        var target = new PublishTarget(known, Environment(environment), region.Length == 0 ? null : region);
        var what = $"The tenant {known}";
        tx.Demand(Verb.Run, target.Tenant, target.Environment, what);
        var place = await SignalStore.PlaceAsync(tx, target.Tenant, target.Region);
        if (!place.TenantExists)
            throw Reject.NotFound(what);
        if (!place.RegionAllowed)
            throw Reject.Invalid("region", $"'{Cut(region)}' is not a region of the tenant; leave it out to serve every region");
        return target;
    }

    public static string Name(string field, string name)
    {
        if (!NamePattern().IsMatch(name))
            throw Reject.Invalid(field, name.Length == 0 ? "is missing" : "is not a name: letters, digits and _ . : -, at most 128, beginning with a letter or _");
        return name;
    }

    public static string Bounded(string field, string text, bool required)
    {
        if (required && text.Length == 0)
            throw Reject.Invalid(field, "is missing: the pipeline's run, which makes the publish idempotent");
        return text.Length <= 200 ? text : throw Reject.Invalid(field, "is longer than 200 characters");
    }

    private static string Tenant(Caller caller, string tenant)
    {
        if (tenant.Length > 0)
            return tenant;
        return caller.TenantsFor(Verb.Run) is [var only] ? only
            : throw Reject.Invalid("tenant", "is missing: you may publish for more than one tenant");
    }

    private static string Environment(string environment) => environment switch
    {
        "" => "dev",
        "dev" or "stg" or "prod" => environment,
        _ => throw Reject.Invalid("environment", $"'{Cut(environment)}' is not one of dev, stg, prod"),
    };

    private static string Cut(string text) => text.Length <= 60 ? text : text[..60] + "…";

    [GeneratedRegex(@"\A[A-Za-z_][A-Za-z0-9_.:-]{0,127}\z", RegexOptions.CultureInvariant)]
    private static partial Regex NamePattern();
}
