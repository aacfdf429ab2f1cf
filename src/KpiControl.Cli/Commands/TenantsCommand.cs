using System.CommandLine;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>kpictl tenants: who is served, and where they may run.</summary>
internal static class TenantsCommand
{
    private static readonly Argument<string> Name = new("TENANT") { Description = "The tenant's name" };
    private static readonly Option<string?> Home = new("--home") { Description = "Where a job runs that names no region; '' for none", HelpName = "REGION" };
    private static readonly Option<string[]> Regions = new("--regions") { Description = "Where its jobs may run, beside the home region", HelpName = "REGION", AllowMultipleArgumentsPerToken = true };
    private static readonly Option<string[]> Add = new("--add-regions") { Description = "Where its jobs may run, too", HelpName = "REGION", AllowMultipleArgumentsPerToken = true };
    private static readonly Option<string[]> Remove = new("--remove-regions") { Description = "Where they may no more; one that has jobs is refused", HelpName = "REGION", AllowMultipleArgumentsPerToken = true };
    private static readonly Option<int?> Weight = new("--weight") { Description = "Share of a lane when more is due than there is credit for, 1 to 100", HelpName = "N" };
    private static readonly Option<string?> Etag = new("--etag") { Description = "As it was read; refused where it has changed since", HelpName = "ETAG" };

    public static Command Create() => new Command("tenants", "List tenants, or make and change them (platform operators)")
    {
        new Command("get", "Show a tenant") { Name }.Online().With(SharedOptions.Output).Does(async session =>
            Show(session, await session.Tenants.GetTenantAsync(new GetTenantRequest { Tenant = session.Value(Name) }, session.Call), dryRun: false)),
        new Command("create", "Make a tenant") { Name }.Online().With(Home, Regions, Weight, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Make),
        new Command("update", "Change a tenant; what is not named stays") { Name }
            .Online().With(Home, Add, Remove, Weight, Etag, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Update),
    }.Online().With(SharedOptions.Output).Does(List);

    private static async Task<int> List(Session session)
    {
        var all = new ListTenantsResponse();
        await Pages.Read(session, 10_000, async (size, token) =>
        {
            var page = await session.Tenants.ListTenantsAsync(new ListTenantsRequest { PageSize = size, PageToken = token }, session.Call);
            all.Tenants.AddRange(page.Tenants);
            all.NextPageToken = page.NextPageToken;
            return (page.Tenants.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => Table(all.Tenants).WriteTo(session.World), () => all.Tenants.Select(tenant => tenant.Tenant_));
        return ExitCode.Done;
    }

    private static async Task<int> Make(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var request = new CreateTenantRequest
        {
            Tenant = session.Value(Name), HomeRegion = session.Value(Home) ?? "", Weight = session.Value(Weight) ?? 0, Reason = session.Value(SharedOptions.Reason) ?? "",
            ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun), Regions = { Split(session, Regions) },
        };
        return Show(session, await session.Tenants.CreateTenantAsync(request, session.Call), dryRun);
    }

    private static async Task<int> Update(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var request = new UpdateTenantRequest
        {
            Tenant = session.Value(Name), Etag = session.Value(Etag) ?? "", Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
            AddRegions = { Split(session, Add) }, RemoveRegions = { Split(session, Remove) },
        };
        if (session.Value(Home) is { } home)
            request.HomeRegion = home;
        if (session.Value(Weight) is { } weight)
            request.Weight = weight;
        return Show(session, await session.Tenants.UpdateTenantAsync(request, session.Call), dryRun);
    }

    private static int Show(Session session, Tenant tenant, bool dryRun)
    {
        session.Answer.Print(tenant, () => Table([tenant]).WriteTo(session.World), () => [tenant.Tenant_]);
        if (dryRun)
            session.World.Error.WriteLine("dry run: nothing was changed");
        return ExitCode.Done;
    }

    private static TextTable Table(IEnumerable<Tenant> tenants)
    {
        var table = new TextTable("TENANT", "HOME", "REGIONS", "WEIGHT", "ETAG").Numeric(3);
        foreach (var tenant in tenants)
            table.Row(tenant.Tenant_, tenant.HomeRegion, string.Join(",", tenant.Regions), tenant.Weight, tenant.Etag);
        return table;
    }

    private static IEnumerable<string> Split(Session session, Option<string[]> option) =>
        (session.Value(option) ?? []).SelectMany(t => t.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}
