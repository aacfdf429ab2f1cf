using System.CommandLine;
using System.Text;
using Grpc.Core;
using KpiControl.Cli.Authoring;
using KpiControl.Cli.Connection;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Contracts;

/// <summary><c>contracts put</c>: every file is tried, and the first refusal does not hide the others.</summary>
internal static class ContractPut
{
    private static readonly Option<string[]> Files = new("--file", "-f")
    { Description = "A contract, or a directory of them; repeatable", HelpName = "FILE|DIR", Required = true, AllowMultipleArgumentsPerToken = true };

    public static Command Command() =>
        new Command("put", "Store contract versions; the same content again changes nothing")
            .Online().With(SharedOptions.Tenant, Files, SharedOptions.Recursive, SharedOptions.DryRun, SharedOptions.Output).Does(Put);

    private static async Task<int> Put(Session session)
    {
        var stored = new ListContractsResponse();
        var exit = ExitCode.Done;
        foreach (var file in FileSet.Of(session.Value(Files)!, session.Value(SharedOptions.Recursive)))
        {
            try
            {
                var contract = await PutOne(session, file);
                stored.Contracts.Add(contract);
                FindingLines.Print(session.World.Error, file, contract.Findings);
            }
            catch (RpcException refused) when (RpcFailure.IsAboutTheRequest(refused))
            {
                exit = new RpcFailure(session.Target).Print(session.World, refused, file);
            }
        }
        session.Answer.Print(stored, () => Print(session, stored.Contracts), () => stored.Contracts.Select(ContractName.Of));
        return exit;
    }

    private static async Task<Contract> PutOne(Session session, string file)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        return await session.Catalog.PutContractAsync(new PutContractRequest
        {
            Tenant = session.Target.Tenant ?? "", Format = FormatOf(file), Content = Encoding.UTF8.GetString(FileSet.Read(file)),
            ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
    }

    private static void Print(Session session, IEnumerable<Contract> contracts)
    {
        var how = session.Value(SharedOptions.DryRun) ? "can be stored (dry run)" : "stored";
        foreach (var contract in contracts)
        {
            session.World.Out.WriteLine($"{ContractName.Of(contract)} {how}: {contract.Status}, {contract.Digest}");
            ContractEffectTable.Print(session.World, contract);
        }
    }

    private static string FormatOf(string file) => file.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? "json" : "yaml";
}
