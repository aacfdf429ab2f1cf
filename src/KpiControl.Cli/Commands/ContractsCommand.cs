using System.CommandLine;
using KpiControl.Cli.Contracts;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class ContractsCommand
{
    private static readonly Argument<string> Which = new("KPI@VERSION") { Description = "A contract version, such as CFO-EF-02@1.1.0" };
    private static readonly Argument<string> NewStatus = new("STATUS") { Description = "draft, proposed, approved, active, deprecated or retired" };
    private static readonly Option<string?> Kpi = new("--kpi") { Description = "Only of this KPI or table", HelpName = "KPI_ID" };
    private static readonly Option<string?> Type = new("--type") { Description = "Only of this type: kpi, gdp or raw", HelpName = "TYPE" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many", HelpName = "N", DefaultValueFactory = _ => 1000 };

    static ContractsCommand()
    {
        NewStatus.AcceptOnlyFromAmong("draft", "proposed", "approved", "active", "deprecated", "retired");
        Type.AcceptOnlyFromAmong("kpi", "gdp", "raw");
    }

    public static Command Create() => new("contracts", "List, read, store and move contracts of KPIs, GDP tables and raw tables")
    {
        new Command("list", "List contract versions").Online().With(SharedOptions.Tenant, Kpi, Type, Limit, SharedOptions.Output).Does(List),
        new Command("get", "Print a contract as it was written (-o json or yaml: with its digest and status)") { Which }
            .Online().With(SharedOptions.Tenant, SharedOptions.Output).Does(Get),
        ContractPut.Command(),
        new Command("status", "Move a version along draft, proposed, approved, active, deprecated, retired") { Which, NewStatus }
            .Online().With(SharedOptions.Tenant, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Yes, SharedOptions.Output).Does(Move),
    };

    private static async Task<int> List(Session session)
    {
        var all = new ListContractsResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Catalog.ListContractsAsync(new ListContractsRequest
            {
                Tenant = session.Target.Tenant ?? "", KpiId = session.Value(Kpi) ?? "", ContractType = session.Value(Type) ?? "", PageSize = size, PageToken = token,
            }, session.Call);
            all.Contracts.AddRange(page.Contracts);
            all.NextPageToken = page.NextPageToken;
            return (page.Contracts.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => Print(session, all.Contracts), () => all.Contracts.Select(ContractName.Of));
        return ExitCode.Done;
    }

    private static void Print(Session session, IReadOnlyCollection<Contract> contracts)
    {
        if (contracts.Count == 0)
        {
            session.World.Error.WriteLine("no contracts; store one with: kpictl contracts put -f contract.yaml");
            return;
        }
        var now = session.World.Clock.GetUtcNow();
        var wide = session.Answer.Wide;
        var table = new TextTable("KPI_ID", "VERSION", "STATUS", "GRAIN", "TYPE", "DEPENDENCIES", "DIGEST", "CREATED", "CONTRACT_ID");
        foreach (var contract in contracts)
            table.Row(contract.KpiId, contract.Version, Cell.Status(contract.Status), contract.Grain, contract.ContractType, string.Join(",", contract.Dependencies),
                wide ? contract.Digest : Jobs.JobTable.ShortHash(contract.Digest),
                wide ? Ages.Absolute(contract.CreatedAt) : Ages.Relative(contract.CreatedAt, now), contract.ContractId);
        table.WriteTo(session.World);
    }

    private static async Task<int> Get(Session session)
    {
        var (kpi, version) = ContractName.Parse(session.Value(Which)!);
        var contract = await session.Catalog.GetContractAsync(
            new GetContractRequest { Tenant = session.Target.Tenant ?? "", KpiId = kpi, Version = version }, session.Call);
        session.Answer.Print(contract, () =>
        {
            session.World.Error.WriteLine($"{ContractName.Of(contract)}: {contract.Status}, {contract.Digest}");
            session.World.Out.Write(contract.Content.EndsWith('\n') ? contract.Content : contract.Content + "\n");
        }, () => [ContractName.Of(contract)]);
        return ExitCode.Done;
    }

    private static async Task<int> Move(Session session)
    {
        var (kpi, version) = ContractName.Parse(session.Value(Which)!);
        var status = session.Value(NewStatus)!;
        var dryRun = session.Value(SharedOptions.DryRun);
        var request = new SetContractStatusRequest
        {
            Tenant = session.Target.Tenant ?? "", KpiId = kpi, Version = version, Status = status,
            Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        };
        if (status == "retired" && !dryRun && !await MayRetire(session, request))
            return Talk.Refused(session.World, new Refusal("not retired"));
        var contract = await session.Catalog.SetContractStatusAsync(request, session.Call);
        session.Answer.Print(contract, () =>
        {
            session.World.Out.WriteLine($"{ContractName.Of(contract)} {(dryRun ? $"would be {status} (dry run)" : $"is {contract.Status}")}");
            ContractEffectTable.Print(session.World, contract);
        }, () => [ContractName.Of(contract)]);
        return ExitCode.Done;
    }

    // Who is asked sees first which jobs it is about.
    private static async Task<bool> MayRetire(Session session, SetContractStatusRequest request)
    {
        if (session.Value(SharedOptions.Yes) || !session.World.CanAsk)
            return true;
        var rehearsed = await session.Catalog.SetContractStatusAsync(new SetContractStatusRequest(request) { ValidateOnly = true, RequestId = "" }, session.Call);
        ContractEffectTable.Print(session.World, rehearsed);
        return Talk.Agreed(session.World, yes: false, $"Retire {ContractName.Of(rehearsed)}? Its jobs are refused from then on.");
    }
}
