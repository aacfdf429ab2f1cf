using Grpc.Core;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Runs;

/// <summary>Waits for an occurrence's disposition by asking again: a control node may stop meanwhile, the waiting does not.</summary>
internal sealed class RunWait(Session session, long bindingId, string slotKey)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>The run that is the occurrence's one disposition.</summary>
    public async Task<Run> Ended(TimeSpan timeout, string next)
    {
        var clock = session.World.Clock;
        var started = clock.GetTimestamp();
        using var progress = new ProgressLine(session.World);
        while (clock.GetElapsedTime(started) < timeout)
        {
            if (await Look(progress) is { } run)
                return run;
            await Task.Delay(Pause, clock, session.Token);
        }
        throw new Refusal($"{slotKey} has not ended after {Ages.Span(timeout)}; it goes on", next, ExitCode.Failed);
    }

    private async Task<Run?> Look(ProgressLine progress)
    {
        try
        {
            var runs = await session.Jobs.ListRunsAsync(new ListRunsRequest { BindingId = bindingId, PageSize = 50 }, session.Call);
            if (runs.Runs.FirstOrDefault(run => run.Final && run.SlotKey == slotKey) is { } ended)
                return ended;
            var job = await session.Jobs.GetJobAsync(new GetJobRequest { BindingId = bindingId }, session.Call);
            progress.Say(State(job, runs.Runs.FirstOrDefault(run => run.SlotKey == slotKey)));
        }
        catch (RpcException away) when (away.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded)
        {
            progress.Say("the control plane does not answer; asking again");
        }
        return null;
    }

    private string State(Job job, Run? lastTry)
    {
        var state = job switch
        {
            { Occurrence: { } open } when open.SlotKey == slotKey => JobState.Of(open),
            { Occurrence: { } other } => $"queued behind {other.SlotKey}, which is {JobState.Of(other)}",
            _ => "queued",
        };
        var paused = job.Paused ? "the job is paused; " : "";
        return lastTry is null ? paused + state : $"{paused}{state}; last try {lastTry.Status}: {RunTable.Why(lastTry)}";
    }
}
