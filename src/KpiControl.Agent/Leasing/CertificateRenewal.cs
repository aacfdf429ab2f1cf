using KpiControl.Agent.ControlPlane;

namespace KpiControl.Agent.Leasing;

/// <summary>Renews the agent's certificate at two thirds of its life; the session moves to a connection with the new one, leases and all.</summary>
internal sealed partial class CertificateRenewal(CertificateKeeper keeper, Outbound outbound, ControlDoor door, TimeProvider time, ILogger<CertificateRenewal> log) : BackgroundService
{
    private static readonly TimeSpan ShortestRetry = TimeSpan.FromSeconds(1), LongestRetry = TimeSpan.FromMinutes(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!door.Options.Enrols)
            return;
        await keeper.Enrolled.WaitAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
            await Task.Delay(await StepAsync(stoppingToken), time, stoppingToken);
    }

    /// <summary>Until the next look.</summary>
    private async Task<TimeSpan> StepAsync(CancellationToken token)
    {
        var now = time.GetUtcNow();
        var current = keeper.Current();
        if (current is not null && current.RenewAt > now)
            return Bounded(current.RenewAt - now);
        var (next, problem) = await keeper.RenewedAsync(token);
        if (next is not null)
        {
            outbound.Reopen("the agent's certificate was renewed");
            return Bounded(next.RenewAt - now);
        }
        // A twentieth of what is left: many tries before the end, none of them a storm.
        var left = current is null ? TimeSpan.Zero : (current.ExpiresAt - now) / 20;
        var pause = (left < ShortestRetry ? ShortestRetry : left > LongestRetry ? LongestRetry : left) * (1 + Random.Shared.NextDouble());
        Log.NotRenewed(log, problem, pause.TotalSeconds);
        return pause;
    }

    // Up to a fiftieth later: agents that were enrolled together do not renew together. Never at once, never too long for a timer.
    private static TimeSpan Bounded(TimeSpan wait)
    {
        var jittered = wait * (1 + Random.Shared.NextDouble() / 50);
        return jittered < TimeSpan.FromMilliseconds(200) ? TimeSpan.FromMilliseconds(200) : jittered > TimeSpan.FromDays(1) ? TimeSpan.FromDays(1) : jittered;
    }

    private static partial class Log
    {
        [LoggerMessage(1341, LogLevel.Warning, "{Problem} Next try in {Seconds:0} s.")]
        public static partial void NotRenewed(ILogger log, string problem, double seconds);
    }
}
