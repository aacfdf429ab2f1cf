namespace KpiControl.Agent.Execution;

/// <summary>Why an attempt was told to stop; the first reason stands.</summary>
internal enum StopReason
{
    None,
    /// <summary>Its own timeout passed.</summary>
    Timeout,
    /// <summary>Control asked for it.</summary>
    Cancelled,
    /// <summary>The agent can no longer be sure of its session.</summary>
    LostTrust,
    /// <summary>Control said at Welcome that the lease is gone.</summary>
    LostLease,
    /// <summary>The agent stops and its bound for finishing has passed.</summary>
    Draining,
}
