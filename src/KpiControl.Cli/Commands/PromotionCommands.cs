using System.CommandLine;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>promote and rollback: changes whose artifact is stored already.</summary>
internal static class PromotionCommands
{
    private static readonly Argument<string> Job = JobAddress.Argument();
    private static readonly Option<string> To = new("--to") { Description = "The environment that it goes to", HelpName = "ENV", Required = true };
    private static readonly Option<string?> Region = new("--region") { Description = "Where it runs there; absent: where it is bound, else the tenant's home region", HelpName = "REGION" };
    private static readonly Option<int> Revision = new("--to-revision") { Description = "A revision that was in force (r3: 3); absent: the last with another definition", HelpName = "N" };

    static PromotionCommands() => To.AcceptOnlyFromAmong("stg", "prod");

    public static Command Promote() => new Command("promote", "Propose a job's definition, the same hash, for the next environment") { Job }
        .Online().With(SharedOptions.Tenant, SharedOptions.Environment, To, Region, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Promote);

    public static Command RollBack() => new Command("rollback", "Propose a definition that was in force before") { Job }
        .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Revision, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(RollBack);

    private static async Task<int> Promote(Session session)
    {
        var (address, dryRun) = (JobAddress.Parse(session.Value(Job)!, session.Target), session.Value(SharedOptions.DryRun));
        return ChangeText.Proposed(session, await session.Changes.PromoteJobAsync(new PromoteJobRequest
        {
            BindingId = address.BindingId, Tenant = address.Tenant, Environment = address.Environment, JobId = address.JobId, ToEnvironment = session.Value(To)!,
            Region = session.Value(Region) ?? "", Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call), dryRun);
    }

    private static async Task<int> RollBack(Session session)
    {
        var (address, dryRun) = (JobAddress.Parse(session.Value(Job)!, session.Target), session.Value(SharedOptions.DryRun));
        return ChangeText.Proposed(session, await session.Changes.RollBackJobAsync(new RollBackJobRequest
        {
            BindingId = address.BindingId, Tenant = address.Tenant, Environment = address.Environment, JobId = address.JobId, ToRevision = session.Value(Revision),
            Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call), dryRun);
    }
}
