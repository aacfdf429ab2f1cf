using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Audit;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Tenants;

/// <summary>Which tenants there are, and where they may run: the platform operator's to say.</summary>
internal static class Placements
{
    public static async Task<Tenant> CreateAsync(RequestTransaction tx, CreateTenantRequest request)
    {
        DemandOperator(tx.Caller);
        var tenant = RequestFields.Required("tenant", request.Tenant);
        if (!TenantSettings.IsTenant(tenant))
            throw Reject.Invalid("tenant", "is not a tenant's name (a-z, digits, _ and -, up to 63, beginning with a letter)");
        var regions = Regions("regions", request.Regions.Append(request.HomeRegion));
        if (!await PlacementRowStore.CreateAsync(tx, tenant, Home(request.HomeRegion), Weight(request.Weight == 0 ? 1 : request.Weight)))
            throw Reject.Exists("TENANT_EXISTS", $"The tenant {tenant} exists; change it with PUT /api/tenants/{tenant}.", ("tenant", tenant));
        await PlacementRowStore.AddRegionsAsync(tx, tenant, regions);
        var row = await FindAsync(tx, tenant);
        await AuditAsync(tx, row, request.Reason, null);
        return row.ToProto();
    }

    public static async Task<Tenant> UpdateAsync(RequestTransaction tx, UpdateTenantRequest request)
    {
        DemandOperator(tx.Caller);
        var tenant = RequestFields.Required("tenant", request.Tenant);
        await PlacementRowStore.HoldAsync(tx, tenant);
        var before = await FindAsync(tx, tenant);
        EntityTag.Demand(request.Etag, before.Etag, "The tenant");
        var home = request.HasHomeRegion ? Home(request.HomeRegion) : before.HomeRegion;
        var added = Regions("add_regions", request.AddRegions.Append(home ?? ""));
        var removed = Regions("remove_regions", request.RemoveRegions);
        if (removed.Intersect(added).FirstOrDefault() is { } both)
            throw Reject.Invalid("remove_regions", both == home ? $"has the home region {both}: name another home_region first, or an empty one" : $"has {both}, which is to be added");
        await PlacementRowStore.AddRegionsAsync(tx, tenant, added);
        await PlacementRowStore.UpdateAsync(tx, tenant, home, request.HasWeight ? Weight(request.Weight) : before.Weight);
        await RemoveAsync(tx, tenant, removed);
        var after = await FindAsync(tx, tenant);
        if (Facts(after) == Facts(before))
            return before.ToProto();
        await PlacementRowStore.ReviseAsync(tx, tenant);
        after = await FindAsync(tx, tenant);
        await AuditAsync(tx, after, request.Reason, Facts(before));
        return after.ToProto();
    }

    public static async Task<PlacementRow> FindAsync(RequestTransaction tx, string tenant) =>
        await PlacementRowStore.FindAsync(tx, tenant) ?? throw Reject.NotFound($"The tenant {tenant}");

    public static Tenant ToProto(this PlacementRow row) => new()
    {
        Tenant_ = row.TenantId, HomeRegion = row.HomeRegion ?? "", Regions = { row.Regions }, Weight = row.Weight, Etag = row.Etag, CreatedAt = Timestamp.FromDateTimeOffset(row.CreatedAt),
    };

    private static async Task RemoveAsync(RequestTransaction tx, string tenant, string[] regions)
    {
        foreach (var region in regions)
            if (await PlacementRowStore.JobsInAsync(tx, tenant, region) is > 0 and var jobs)
                throw Reject.Precondition("REGION_IN_USE", region, string.Create(CultureInfo.InvariantCulture, $"{jobs} jobs of {tenant} are bound in region {region}: it cannot be removed."));
        await PlacementRowStore.RemoveRegionsAsync(tx, tenant, regions);
    }

    private static void DemandOperator(Caller caller)
    {
        if (!caller.MayEverywhere(Verb.FleetManage))
            throw Reject.Denied($"{nameof(Verb.FleetManage)} in every tenant and environment");
    }

    private static string? Home(string region) => region.Length == 0 ? null : region;

    private static int Weight(int weight) => weight is >= 1 and <= 100 ? weight : throw Reject.Invalid("weight", "is outside of 1 to 100");

    private static string[] Regions(string field, IEnumerable<string> regions)
    {
        string[] distinct = [.. regions.Where(r => r.Length > 0).Distinct()];
        if (distinct.Length > 100)
            throw Reject.Invalid(field, "has more than 100 regions");
        if (distinct.FirstOrDefault(region => !TenantSettings.IsRegion(region)) is { } wrong)
            throw Reject.Invalid(field, $"has '{(wrong.Length <= 64 ? wrong : wrong[..64] + "…")}', which is not a region's name (a-z, digits and -, up to 32, beginning with a letter)");
        return distinct;
    }

    private static Task AuditAsync(RequestTransaction tx, PlacementRow row, string reason, string? before) => AuditStore.AppendAsync(tx, new AuditEntry
    {
        TenantId = row.TenantId, Actor = tx.Caller.Principal, Verb = nameof(Verb.FleetManage), ObjectKind = "tenant", ObjectId = row.TenantId, Reason = reason, Before = before, After = Facts(row),
    });

    private static string Facts(PlacementRow row) => AuditEntry.Json(new { row.HomeRegion, row.Regions, row.Weight });
}
