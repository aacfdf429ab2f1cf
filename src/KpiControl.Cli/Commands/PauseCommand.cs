using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class PauseCommand
{
    private static readonly Argument<string> Job = JobAddress.Argument();
    private static readonly Option<string?> Until = new("--until")
    { Description = "Resumes by itself then: an instant, a date, or a duration from now; absent: until resumed", HelpName = "TIME" };

    public static Command Create() =>
        new Command("pause", "Start nothing more of a job; running attempts finish") { Job }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Until, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output)
            .Does(Pause);

    private static async Task<int> Pause(Session session)
    {
        var address = JobAddress.Parse(session.Value(Job)!, session.Target);
        var dryRun = session.Value(SharedOptions.DryRun);
        var until = session.Value(Until) is { } text ? Times.Instant(text, "--until", session.World.Clock) : (DateTimeOffset?)null;
        var job = await session.Jobs.PauseJobAsync(new PauseJobRequest
        {
            BindingId = address.BindingId, Tenant = address.Tenant, Environment = address.Environment, JobId = address.JobId,
            PausedUntil = until is null ? null : Timestamp.FromDateTimeOffset(until.Value),
            Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(job, () => Print(session, job, until, dryRun), () => [JobAddress.NameOf(job)]);
        return ExitCode.Done;
    }

    private static void Print(Session session, Job job, DateTimeOffset? until, bool dryRun)
    {
        var how = until is null
            ? $"until resumed: kpictl resume {JobAddress.NameOf(job)}"
            : $"until {Ages.Both(Timestamp.FromDateTimeOffset(until.Value), session.World.Clock.GetUtcNow())}";
        session.World.Out.WriteLine($"{JobAddress.NameOf(job)} {(dryRun ? "would be paused (dry run)" : "paused")} {how}");
        foreach (var running in job.Beside.Prepend(job.Occurrence).Where(open => open is { State: "leased" } && !dryRun))
            session.World.Error.WriteLine($"what runs finishes: {running!.SlotKey} on {running.Agent}");
    }
}
