using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Audit;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Tenants;

/// <summary>What a tenant's environments ask of a change: the tenant's own administrator's to say.</summary>
internal static class Policies
{
    public static async Task<PolicyRow> FindAsync(RequestTransaction tx, string tenant, string environment, int version)
    {
        if (version < 0)
            throw Reject.Invalid("version", "is below 0; leave it out for the one in force");
        var named = RequestFields.Environment(RequestFields.Required("environment", environment));
        return await PolicyStore.FindAsync(tx, tenant, named, version) ?? throw Reject.NotFound(version == 0 ? $"The tenant {tenant}" : $"Version {version} of the policy of {tenant} in {named}");
    }

    public static async Task<TenantPolicy> PutAsync(RequestTransaction tx, PutPolicyRequest request)
    {
        var environment = RequestFields.Environment(RequestFields.Required("environment", request.Environment));
        var tenant = RequestFields.Required("tenant", request.Tenant);
        tx.Demand(Verb.PolicyWrite, tenant, environment, $"The tenant {tenant}");
        var before = await FindAsync(tx, tenant, environment, version: 0);
        EntityTag.Demand(request.Etag, before.Etag, "The policy");
        var document = new PolicyDocument
        {
            RequiresApproval = request.HasRequiresApproval ? request.RequiresApproval : before.RequiresApproval,
            RequiresOwners = request.HasRequiresOwners ? request.RequiresOwners : before.RequiresOwners,
            RequiresSla = request.HasRequiresSla ? request.RequiresSla : before.RequiresSla,
            RequiresAlerts = request.HasRequiresAlerts ? request.RequiresAlerts : before.RequiresAlerts,
            ReleaseWindows = request.ReleaseWindows is { } windows ? OrNull(ReleaseHoursFields.Read(windows)) : before.Document.ReleaseWindows,
            Freezes = request.Freezes is { } freezes ? OrNull(ReleaseHoursFields.Read(freezes, (await PolicyStore.HoursAsync(tx, tenant, environment)).Now)) : before.Document.Freezes,
            BreakGlassSeconds = request.BreakGlassFor is { } life ? ReleaseHoursFields.BreakGlassSeconds(life) : before.BreakGlassSaid,
        };
        if (AuditEntry.Json(document) == AuditEntry.Json(before.Document) && before.Version > 0)
            return before.ToProto();
        if (!await PolicyStore.AddAsync(tx, tenant, environment, before.Version + 1, AuditEntry.Json(document)))
            throw Reject.Aborted("ETAG_MISMATCH", "Somebody else changed the policy at the same time; read it again and repeat the change.");
        await AuditStore.AppendAsync(tx, new AuditEntry
        {
            TenantId = tenant, Environment = environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.PolicyWrite), ObjectKind = "policy", ObjectId = environment, Reason = request.Reason,
            Before = Facts(before.Version, before.Document), After = Facts(before.Version + 1, document),
        });
        return (await FindAsync(tx, tenant, environment, version: 0)).ToProto();
    }

    public static TenantPolicy ToProto(this PolicyRow row) => new()
    {
        Tenant = row.TenantId, Environment = row.Environment, Version = row.Version, Etag = row.Etag, RequiresApproval = row.RequiresApproval, RequiresOwners = row.RequiresOwners,
        RequiresSla = row.RequiresSla, RequiresAlerts = row.RequiresAlerts, EffectiveFrom = row.EffectiveFrom is { } from ? Timestamp.FromDateTimeOffset(from) : null,
        ReleaseWindows = { ReleaseHours.ReadWindows(row.ReleaseWindows).Select(window => window.ToProto()) }, Freezes = { ReleaseHours.ReadFreezes(row.Freezes).Select(freeze => freeze.ToProto()) },
        BreakGlassFor = new Duration { Seconds = row.BreakGlassSeconds },
    };

    private static IReadOnlyList<T>? OrNull<T>(IReadOnlyList<T> items) => items.Count > 0 ? items : null;

    private static string Facts(int version, PolicyDocument document) =>
        AuditEntry.Json(new { Version = version, document.RequiresApproval, document.RequiresOwners, document.RequiresSla, document.RequiresAlerts, document.ReleaseWindows, document.Freezes, document.BreakGlassSeconds });
}
