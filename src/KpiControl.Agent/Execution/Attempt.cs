using System.Diagnostics.CodeAnalysis;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Execution;

/// <summary>One attempt in this process: its lease, its two tokens, and why it was told to stop.</summary>
[SuppressMessage("Design", "CA1001", Justification = "An abandoned executor may use the tokens for ever; without timers and wait handles a source holds nothing to free.")]
internal sealed class Attempt(Lease lease, string? contractJson)
{
    private readonly CancellationTokenSource gentle = new();
    private readonly CancellationTokenSource force = new();
    private readonly TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int reason;

    public Lease Lease { get; } = lease;
    /// <summary>Null: control left it out and this process has never seen it.</summary>
    public string? ContractJson { get; } = contractJson;
    public StopReason Reason => (StopReason)Volatile.Read(ref reason);
    public CancellationToken Gentle => gentle.Token;
    public CancellationToken Force => force.Token;
    /// <summary>Completes when the attempt is told to stop.</summary>
    public Task Stopped => stopped.Task;
    /// <summary>Completes when its result is on disk, or there is none to report.</summary>
    public Task Ended => ended.Task;

    /// <summary>Control may count it as held by us: not once we dropped it.</summary>
    public bool IsHeld => Reason is not (StopReason.LostTrust or StopReason.LostLease);

    public HeldAttempt ToHeld() => new() { AttemptId = Lease.AttemptId, BindingId = Lease.BindingId, Fence = Lease.Fence };

    // CancelAsync: a driver's own cancelling may talk to a server, and must not hold up the stream's reader.
    public bool Stop(StopReason why)
    {
        if (Interlocked.CompareExchange(ref reason, (int)why, (int)StopReason.None) != (int)StopReason.None)
            return false;
        stopped.TrySetResult();
        _ = gentle.CancelAsync();
        return true;
    }

    public void End() => ended.TrySetResult();

    public void StopByForce() => _ = force.CancelAsync();
}
