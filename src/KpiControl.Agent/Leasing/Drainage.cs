using KpiControl.Agent.Execution;

namespace KpiControl.Agent.Leasing;

/// <summary>A stopping agent: no more leases, finish within the bound, give back what is left, deliver the outbox.</summary>
internal sealed partial class Drainage(Attempts attempts, Outbound outbound, Outbox.Outbox outbox, ExecutionBounds bounds, ILogger<Drainage> log)
{
    /// <param name="now">Cancelled by a second signal: waits end at once, running statements are aborted.</param>
    public async Task RunAsync(CancellationToken now)
    {
        Log.Draining(log, attempts.Count, bounds.Options.FinishFor);
        outbound.StopTakingLeases();
        attempts.Close();
        await bounds.WithinAsync(attempts.IdleAsync(), bounds.Options.FinishFor, now);
        attempts.StopAll(StopReason.Draining);
        if (now.IsCancellationRequested)
            attempts.StopAllByForce();
        await bounds.WithinAsync(attempts.IdleAsync(), bounds.Options.GentleFor + bounds.Options.ForceFor, now);
        await DeliverAsync(now);
        if (outbox.Waiting > 0)
            Log.Undelivered(log, outbox.Waiting);
    }

    private async Task DeliverAsync(CancellationToken now)
    {
        var empty = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Look()
        {
            if (outbox.Waiting == 0)
                empty.TrySetResult();
        }
        outbox.Changed += Look;
        Look();
        await bounds.WithinAsync(empty.Task, bounds.Options.DeliverFor, now);
        outbox.Changed -= Look;
    }

    private static partial class Log
    {
        [LoggerMessage(1331, LogLevel.Information, "The agent stops: {Running} attempts have {Bound} to finish; a second signal ends it at once.")]
        public static partial void Draining(ILogger log, int running, TimeSpan bound);

        [LoggerMessage(1332, LogLevel.Warning, "{Waiting} results are not acknowledged; they stay in the outbox and are sent at the next start.")]
        public static partial void Undelivered(ILogger log, int waiting);
    }
}
