using System.CommandLine;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Cli.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class TriggerCommand
{
    private static readonly Argument<string> Job = JobAddress.Argument();
    private static readonly Option<bool> Wait = new("--wait", "-w") { Description = "Until it has ended; exit 1 unless it delivered" };
    private static readonly Option<TimeSpan?> WaitTimeout = new("--wait-timeout")
    { Description = "Of --wait: give up waiting, not the run, after so long [default: 15m]", HelpName = "DURATION", CustomParser = Times.DurationOption };
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    public static Command Create() =>
        new Command("trigger", "Run a job now; it waits for its dependencies like a scheduled run") { Job }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, SharedOptions.BusinessDate, Wait, WaitTimeout,
                SharedOptions.Reason, SharedOptions.DryRun, RunsCommand.Points, SharedOptions.Output)
            .Does(Trigger);

    private static async Task<int> Trigger(Session session)
    {
        var address = JobAddress.Parse(session.Value(Job)!, session.Target);
        var dryRun = session.Value(SharedOptions.DryRun);
        var answer = await session.Jobs.TriggerJobAsync(new TriggerJobRequest
        {
            BindingId = address.BindingId, Tenant = address.Tenant, Environment = address.Environment, JobId = address.JobId,
            BusinessDate = session.Value(SharedOptions.BusinessDate) ?? "", Reason = session.Value(SharedOptions.Reason) ?? "",
            ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        if (session.Value(Wait) && !dryRun)
            return await AwaitEnd(session, address, answer);
        session.Answer.Print(answer, () => Print(session, address, answer, dryRun), () => [answer.Occurrence?.SlotKey ?? ""]);
        return ExitCode.Done;
    }

    private static async Task<int> AwaitEnd(Session session, JobAddress address, TriggerJobResponse answer)
    {
        var patience = session.Value(WaitTimeout) ?? Patience;
        session.World.Error.WriteLine($"{address}: triggered {answer.Occurrence.SlotKey} for {answer.Occurrence.BusinessDate}; waiting at most {Ages.Span(patience)} (--wait-timeout)");
        var run = await new RunWait(session, answer.BindingId, address, answer.Occurrence.SlotKey).Ended(patience);
        RunsCommand.Print(session, await session.Jobs.GetRunAsync(new GetRunRequest { RunId = run.RunId }, session.Call));
        return run.Status is "success" or "partial" ? ExitCode.Done : ExitCode.Failed;
    }

    private static void Print(Session session, JobAddress address, TriggerJobResponse answer, bool dryRun)
    {
        if (answer.Occurrence is not { } occurrence || dryRun)
        {
            session.World.Out.WriteLine($"{address} would be triggered (dry run)");
            return;
        }
        session.World.Out.WriteLine($"{address} triggered for {occurrence.BusinessDate}: {occurrence.SlotKey}, {JobState.Of(occurrence)}");
        session.World.Error.WriteLine($"see what becomes of it: kpictl explain {address} {occurrence.SlotKey}");
    }
}
