using System.CommandLine;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class ResumeCommand
{
    private static readonly Argument<string> Job = JobAddress.Argument();

    public static Command Create() =>
        new Command("resume", "End a pause") { Job }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output)
            .Does(Resume);

    private static async Task<int> Resume(Session session)
    {
        var address = JobAddress.Parse(session.Value(Job)!, session.Target);
        var dryRun = session.Value(SharedOptions.DryRun);
        var job = await session.Jobs.ResumeJobAsync(new ResumeJobRequest
        {
            BindingId = address.BindingId, Tenant = address.Tenant, Environment = address.Environment, JobId = address.JobId,
            Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(job, () => session.World.Out.WriteLine(
            $"{JobAddress.NameOf(job)} {(dryRun ? "would be resumed (dry run)" : "resumed")}, next run {Ages.Both(job.NextRunAt, session.World.Clock.GetUtcNow())}"),
            () => [JobAddress.NameOf(job)]);
        return ExitCode.Done;
    }
}
