using KpiControl.Agent.Execution;

namespace KpiControl.Agent.Leasing;

/// <summary>Stops every attempt when the trust window closes, with or without a stream.</summary>
internal sealed partial class TrustGuard(TrustWindow trust, Attempts attempts, Outbound outbound, TimeProvider time, ILogger<TrustGuard> log)
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    public async Task RunAsync(CancellationToken done)
    {
        while (!done.IsCancellationRequested)
        {
            var remaining = trust.Remaining;
            if (remaining <= TimeSpan.Zero)
                StopAll();
            // Not longer than a look: a Welcome may bring a shorter window than the one that stood.
            await Task.Delay(remaining > TimeSpan.Zero && remaining < Look ? remaining : Look, time, done).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void StopAll()
    {
        var stopped = attempts.StopAll(StopReason.LostTrust);
        if (stopped == 0)
            return;
        Log.LostTrust(log, stopped);
        // If a Hello named them as held meanwhile, control would wait for them: another Hello tells it otherwise.
        outbound.Reopen();
    }

    private static partial class Log
    {
        [LoggerMessage(1311, LogLevel.Warning, "Control has not confirmed the session for too long: {Count} attempts are stopped, others may hold their leases.")]
        public static partial void LostTrust(ILogger log, int count);
    }
}
