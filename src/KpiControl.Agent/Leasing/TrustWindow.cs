namespace KpiControl.Agent.Leasing;

/// <summary>
/// How long the agent may still believe that its leases are its own. Control counts the session's TTL from when it
/// heard a heartbeat; the agent, from before it sent it, less a margin: so the agent stops first, whatever the wires do.
/// </summary>
/// <remarks>
/// Measured on the monotonic clock: a wall clock that steps changes nothing, and a stopped process (SIGSTOP) finds its
/// time used up. A suspended machine is another matter: this clock stands still then, and only the fence protects.
/// </remarks>
internal sealed class TrustWindow(TimeProvider time, TimeSpan margin)
{
    private readonly Lock gate = new();
    private readonly Queue<(long Sequence, long At)> asked = new();
    private long trustedSince;
    private TimeSpan window = TimeSpan.Zero;

    /// <summary>Welcome: the session was alive at some instant after <paramref name="askedAt"/>, when Hello was sent.</summary>
    public void Open(long askedAt, TimeSpan ttl)
    {
        lock (gate)
        {
            asked.Clear();
            trustedSince = askedAt;
            // A TTL as short as the margin would trust nothing; the margin gives way.
            window = ttl - (margin < ttl / 4 ? margin : ttl / 4);
        }
    }

    /// <summary>Call before the heartbeat is sent.</summary>
    public void Asked(long sequence)
    {
        lock (gate) asked.Enqueue((sequence, time.GetTimestamp()));
    }

    /// <summary>Control answered this heartbeat, and so has heard all before it.</summary>
    public void Answered(long sequence)
    {
        lock (gate)
        {
            while (asked.TryPeek(out var first) && first.Sequence <= sequence)
                trustedSince = asked.Dequeue().At;
        }
    }

    /// <summary>Zero or less: trust is gone, stop what runs.</summary>
    public TimeSpan Remaining
    {
        get { lock (gate) return window - time.GetElapsedTime(trustedSince); }
    }

    /// <summary>Zero or less: control has been silent for two thirds of the window; there is time left to resume on another stream.</summary>
    public TimeSpan UntilDeaf
    {
        get { lock (gate) return window * (2.0 / 3) - time.GetElapsedTime(trustedSince); }
    }
}
