using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Leasing;

/// <summary>The timed side of a stream: heartbeats, and noticing that nobody answers them.</summary>
internal sealed class StreamClock(AgentSession session, Outbound outbound, TrustWindow trust, IOptions<LeasingOptions> options, TimeProvider time)
{
    private static readonly TimeSpan StatusWithin = TimeSpan.FromSeconds(2);
    private long sequence;

    public long Now => time.GetTimestamp();

    public void Open(long askedAt) => trust.Open(askedAt, session.Ttl);

    public async Task<StreamEnd> BeatAsync(CancellationToken cut)
    {
        while (true)
        {
            // ± 20 %: agents that connected together do not beat together.
            await Task.Delay(session.HeartbeatInterval * (0.8 + 0.4 * Random.Shared.NextDouble()), time, cut);
            trust.Asked(++sequence);
            outbound.Beat(sequence);
        }
    }

    /// <summary>A stream that carries no answers is given up while there is still time to resume the session on another.</summary>
    public async Task<StreamEnd> ListenAsync(CancellationToken cut)
    {
        while (trust.UntilDeaf is { Ticks: > 0 } left)
            await Task.Delay(left, time, cut);
        return new StreamEnd(StreamEndKind.Lost, "Control has not answered heartbeats for two thirds of the trust window; the stream is given up.");
    }

    /// <summary>Ends a stream whose Hello is not answered in time; dispose once it is.</summary>
    public ITimer CancelAfterWelcomeTime(CancellationTokenSource cut) =>
        time.CreateTimer(static c => ((CancellationTokenSource)c!).Cancel(), cut, options.Value.WelcomeWithin, Timeout.InfiniteTimeSpan);

    /// <summary>Gives control a moment to end its side.</summary>
    public Task WithinAsync(Task reading) =>
        Task.WhenAny(reading, Task.Delay(StatusWithin, time, CancellationToken.None));
}
