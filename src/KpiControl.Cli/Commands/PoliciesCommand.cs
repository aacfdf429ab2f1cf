using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>kpictl policies: what a tenant's environments ask of a change.</summary>
internal static class PoliciesCommand
{
    private static readonly Option<bool?> Approval = new("--requires-approval") { Description = "Changes of what runs need two approvals", HelpName = "true|false" };
    private static readonly Option<bool?> Owners = new("--requires-owners") { Description = "A job, or its contract, names a business and a technical owner", HelpName = "true|false" };
    private static readonly Option<bool?> Sla = new("--requires-sla") { Description = "A job has an SLA", HelpName = "true|false" };
    private static readonly Option<bool?> Alerts = new("--requires-alerts") { Description = "A job has an alert route", HelpName = "true|false" };
    private static readonly Option<string[]> Windows = new("--window") { Description = "Releases only within it; each one named replaces those that there were, and any of them will do", HelpName = "'mon-fri 09:00-16:00 ZONE'", AllowMultipleArgumentsPerToken = false };
    private static readonly Option<bool> NoWindows = new("--no-windows") { Description = "Releases at any time" };
    private static readonly Option<TimeSpan?> BreakGlassFor = new("--break-glass-for") { Description = "How long an approval that breaks the glass counts (4h)", HelpName = "DURATION", CustomParser = Times.DurationOption };
    private static readonly Option<bool> NoBreakGlass = new("--no-break-glass") { Description = "Nothing is released without windows and owners" };
    private static readonly Option<string?> Etag = new("--etag") { Description = "As it was read; refused where it has changed since", HelpName = "ETAG" };
    private static readonly Option<int> Version = new("--version") { Description = "A former version", HelpName = "N" };

    public static Command Create() => new Command("policies", "Show the policies of a tenant's environments, or change one")
    {
        new Command("history", "Every version, the newest first").Online().With(SharedOptions.Tenant, SharedOptions.Environment, SharedOptions.Output).Does(History),
        new Command("get", "Show the policy of one environment").Online().With(SharedOptions.Tenant, SharedOptions.Environment, Version, SharedOptions.Output).Does(async session =>
            Show(session, await session.Tenants.GetPolicyAsync(new GetPolicyRequest { Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "dev", Version = session.Value(Version) }, session.Call), dryRun: false)),
        new Command("set", "Change the policy of one environment; what is not named stays")
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Approval, Owners, Sla, Alerts, Windows, NoWindows, BreakGlassFor, NoBreakGlass, Etag, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Set),
        FreezeCommands.Freeze(),
        FreezeCommands.Thaw(),
    }.Online().With(SharedOptions.Tenant, SharedOptions.Output).Does(List);

    private static async Task<int> List(Session session)
    {
        var all = new ListPoliciesResponse();
        foreach (var environment in new[] { "dev", "stg", "prod" })
            all.Policies.Add(await session.Tenants.GetPolicyAsync(new GetPolicyRequest { Tenant = session.Target.Tenant ?? "", Environment = environment }, session.Call));
        return Print(session, all);
    }

    private static async Task<int> History(Session session)
    {
        var all = new ListPoliciesResponse();
        await Pages.Read(session, 10_000, async (size, token) =>
        {
            var page = await session.Tenants.ListPoliciesAsync(new ListPoliciesRequest { Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", PageSize = size, PageToken = token }, session.Call);
            all.Policies.AddRange(page.Policies);
            all.NextPageToken = page.NextPageToken;
            return (page.Policies.Count, page.NextPageToken);
        });
        return Print(session, all);
    }

    private static async Task<int> Set(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var request = Request(session, dryRun);
        request.Etag = session.Value(Etag) ?? "";
        if (session.Value(Approval) is { } approval)
            request.RequiresApproval = approval;
        if (session.Value(Owners) is { } owners)
            request.RequiresOwners = owners;
        if (session.Value(Sla) is { } sla)
            request.RequiresSla = sla;
        if (session.Value(Alerts) is { } alerts)
            request.RequiresAlerts = alerts;
        if (session.Value(NoBreakGlass) || session.Value(BreakGlassFor) is not null)
            request.BreakGlassFor = Duration.FromTimeSpan(session.Value(NoBreakGlass) ? TimeSpan.Zero : session.Value(BreakGlassFor)!.Value);
        var windows = session.Value(Windows) ?? [];
        if (windows.Length > 0 && session.Value(NoWindows))
            throw new Refusal("--window and --no-windows exclude each other", "give one of them");
        if (windows.Length > 0 || session.Value(NoWindows))
            request.ReleaseWindows = new ReleaseWindows { Windows = { windows.Select(ReleaseHoursText.Window) } };
        return Show(session, await session.Tenants.PutPolicyAsync(request, session.Call), dryRun);
    }

    public static PutPolicyRequest Request(Session session, bool dryRun) => new()
    {
        Tenant = session.Target.Tenant ?? throw new Refusal("no tenant is named", "say whose policy: --tenant TENANT"),
        Environment = session.Target.Environment ?? throw new Refusal("no environment is named", "say which: --env dev, stg or prod"),
        Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
    };

    private static int Print(Session session, ListPoliciesResponse all)
    {
        session.Answer.Print(all, () => Write(session.World, all.Policies), () => all.Policies.Select(policy => $"{policy.Environment}@{policy.Version}"));
        return ExitCode.Done;
    }

    public static int Show(Session session, TenantPolicy policy, bool dryRun)
    {
        session.Answer.Print(policy, () => Write(session.World, [policy]), () => [$"{policy.Environment}@{policy.Version}"]);
        if (dryRun)
            session.World.Error.WriteLine("dry run: nothing was changed");
        return ExitCode.Done;
    }

    private static void Write(Surroundings world, IReadOnlyCollection<TenantPolicy> policies)
    {
        Table(policies).WriteTo(world);
        foreach (var policy in policies)
            ReleaseHoursText.WriteTo(world.Out, policy);
    }

    private static TextTable Table(IEnumerable<TenantPolicy> policies)
    {
        var table = new TextTable("TENANT", "ENV", "VERSION", "APPROVAL", "OWNERS", "SLA", "ALERTS", "ETAG", "SINCE").Numeric(2);
        foreach (var p in policies)
            table.Row(p.Tenant, p.Environment, p.Version, Word(p.RequiresApproval), Word(p.RequiresOwners), Word(p.RequiresSla), Word(p.RequiresAlerts), p.Etag, Ages.Absolute(p.EffectiveFrom));
        return table;
    }

    private static string Word(bool isRequired) => isRequired ? "required" : "–";
}
