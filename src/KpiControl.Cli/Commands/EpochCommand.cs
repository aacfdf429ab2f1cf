using System.CommandLine;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class EpochCommand
{
    public static Command Create() => new("epoch", "Show the cluster's epoch, or raise it after a failover or a restore")
    {
        new Command("show", "Show the epoch, and whether it stands").Online().With(SharedOptions.Output).Does(Show),
        new Command("bump", "Raise the epoch: what was granted before can never be taken for current, and grants go on")
            .Online().With(SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Bump),
    };

    private static async Task<int> Show(Session session)
    {
        var epoch = await session.Fleet.GetEpochAsync(new GetEpochRequest(), session.Call);
        session.Answer.Print(epoch, () => Print(session, epoch), () => [$"{epoch.Epoch_}"]);
        return ExitCode.Done;
    }

    private static async Task<int> Bump(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var epoch = await session.Fleet.BumpEpochAsync(new BumpEpochRequest
        {
            Reason = session.Value(SharedOptions.Reason) ?? throw new Refusal("--reason is missing", "say why the epoch is raised; it is recorded in the audit trail"),
            ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(epoch, () => Print(session, epoch), () => [$"{epoch.Epoch_}"]);
        return ExitCode.Done;
    }

    private static void Print(Session session, Epoch epoch)
    {
        session.World.Out.WriteLine($"epoch {epoch.Epoch_}, set {Ages.Both(epoch.BumpedAt, session.World.Clock.GetUtcNow())} on timeline {epoch.Timeline}");
        if (!epoch.Stands)
            session.World.Error.WriteLine($"PostgreSQL writes on timeline {epoch.WrittenTimeline}: nothing is granted until: kpictl epoch bump --reason …");
    }
}
