using System.CommandLine;
using KpiControl.Cli.Drift;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>kpictl reconcile: ends a drift, one way or the other.</summary>
internal static class ReconcileCommand
{
    private static readonly Argument<string> Job = JobAddress.Argument();
    private static readonly Option<bool> Promote = new("--promote") { Description = "Bind what the store holds; where policy asks for approval, propose it" };
    private static readonly Option<bool> RollBack = new("--roll-back") { Description = "Write what is bound back to the store" };
    private static readonly Option<string?> StoreHash = new("--store-hash") { Description = "Only if the store holds this, as kpictl drift show said", HelpName = "HASH" };
    private static readonly Option<string?> Path = new("--path") { Description = "Where to write an artifact that the store never had [default: JOB.yaml]", HelpName = "PATH" };

    public static Command Create() => new Command("reconcile", "End a drift: bind what the store holds, or write what is bound back to it") { Job }
        .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Promote, RollBack, StoreHash, Path, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Reconcile);

    private static async Task<int> Reconcile(Session session)
    {
        if (session.Value(Promote) == session.Value(RollBack))
            throw new Refusal("which of the two is right?", "--promote: what the store holds; --roll-back: what is bound; kpictl drift show JOB shows both");
        var (address, dryRun) = (JobAddress.Parse(session.Value(Job)!, session.Target), session.Value(SharedOptions.DryRun));
        var response = await session.Drift.ReconcileJobAsync(new ReconcileJobRequest
        {
            BindingId = address.BindingId, Tenant = address.Tenant, Environment = address.Environment, JobId = address.JobId, Direction = session.Value(Promote) ? "promote" : "roll_back",
            StoreHash = session.Value(StoreHash) ?? "", Path = session.Value(Path) ?? "", Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(response, () => session.World.Out.WriteLine(Words(address, response) + (dryRun ? " (dry run)" : "")), () => [$"{address}"]);
        return ExitCode.Done;
    }

    private static string Words(JobAddress job, ReconcileJobResponse response) => response.Outcome switch
    {
        "rebound" => $"{job} is rebound to what the store holds, and is {response.Etag} now",
        "proposed" => response.ChangeId > 0 ? $"{job}: change/{response.ChangeId} waits for approval; look at it: kpictl changes {response.ChangeId}" : $"{job}: a change would wait for approval",
        "pending_write" => $"{job} is to be written to {response.Write.Store}:{response.Write.Path}; look at it: kpictl drift show {job}",
        _ => $"{job} is what the store holds: there is nothing to do",
    };
}
