using Grpc.Core;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Runs;

/// <summary>Waits for an occurrence's disposition by asking again: a control node may stop meanwhile, the waiting does not.</summary>
internal sealed class RunWait(Session session, long bindingId, JobAddress job, string slotKey)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>The run that is the occurrence's one disposition. Whoever stops waiting is told that the occurrence goes on, and how to find it again.</summary>
    public async Task<Run> Ended(TimeSpan timeout)
    {
        using var progress = new ProgressLine(session.World);
        try
        {
            return await Look(progress, timeout)
                ?? throw Stopped($"{slotKey} has not ended after {Ages.Span(timeout)}: {progress.Last}", ExitCode.Failed);
        }
        catch (Exception interrupted) when (session.Token.IsCancellationRequested && interrupted is OperationCanceledException or RpcException)
        {
            throw Stopped($"stopped waiting for {slotKey}{(progress.Last.Length > 0 ? $": {progress.Last}" : "")}", ExitCode.UsageOrCancelled);
        }
    }

    private async Task<Run?> Look(ProgressLine progress, TimeSpan timeout)
    {
        var clock = session.World.Clock;
        for (var started = clock.GetTimestamp(); clock.GetElapsedTime(started) < timeout; await Task.Delay(Pause, clock, session.Token))
            if (await Look(progress) is { } run)
                return run;
        return null;
    }

    private Refusal Stopped(string what, int exit) =>
        new($"{what}; the waiting ended, the occurrence lives on", $"look again: kpictl explain {job} {slotKey}; end it: kpictl cancel {job} --slot {slotKey}", exit);

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
            { Beside: var beside } when beside.FirstOrDefault(open => open.SlotKey == slotKey) is { } mine => JobState.Of(mine),
            { Occurrence: { } other } => $"queued behind {other.SlotKey}, which is {JobState.Of(other)}",
            _ => "queued",
        };
        var paused = job.Paused ? "the job is paused; " : "";
        return lastTry is null ? paused + state : $"{paused}{state}; last try {lastTry.Status}: {RunTable.Why(lastTry)}";
    }
}
