using Google.Protobuf;
using System.Diagnostics.CodeAnalysis;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Leasing;

/// <summary>
/// What the agent has to say next, in order of urgency. The stream's writer pulls: heartbeats never queue behind
/// results, credit gathers while the wire is busy, and a backlog stays on disk until there is room to send it.
/// </summary>
internal sealed class Outbound
{
    // With more under way, heartbeats would wait behind results that control is too slow to take.
    private const int MaxUnacknowledged = 1000;
    // Far below what control takes in one message; a result may be larger, and then goes alone or last.
    private const int MaxBatchBytes = 256 << 10;
    private readonly Slots slots;
    private readonly Outbox.Outbox outbox;
    private readonly Lock gate = new();
    private readonly Signal signal = new();
    private readonly List<StartedAttempt> started = [];
    private readonly List<string> returned = [];
    private readonly HashSet<string> inFlight = new(StringComparer.Ordinal);
    private long beat;
    private bool stopping, drained, drainingSaid;

    public Outbound(Slots slots, Outbox.Outbox outbox)
    {
        (this.slots, this.outbox) = (slots, outbox);
        outbox.Changed += OnOutboxChanged;
    }

    /// <summary>Credit was given that must not be used, or an attempt was dropped that control counts as held: only a new Hello says so.</summary>
    public bool MustReopen { get; private set; }
    public string ReopenReason { get; private set; } = "";

    /// <summary>A stream is about to begin: what was said on the last one counts no more.</summary>
    public void Begin()
    {
        lock (gate)
        {
            started.Clear();
            returned.Clear();
            inFlight.Clear();
            (beat, drained, drainingSaid, MustReopen) = (0, false, false, false);
        }
        slots.Revoke();
        outbox.Rewind();
    }

    public void Beat(long sequence) => Change(() => beat = sequence);

    public void Say(StartedAttempt attempt) => Change(() => started.Add(attempt));

    /// <summary>An attempt goes back unrun. Control takes this as the end of credit, so only a draining agent says it.</summary>
    public void Return(string attemptId) => Change(() => returned.Add(attemptId));

    /// <summary>The process stops: no more credit, on any stream.</summary>
    public void StopTakingLeases() => Change(() => stopping = true);

    /// <summary>Control drains the agent: no more credit on this stream. It says so again on the next one if it still holds.</summary>
    public void Drain() => Change(() => drained = true);

    public void Reopen(string why = "what control believes this agent holds has changed") => Change(() => (MustReopen, ReopenReason) = (true, why));

    public void Acknowledged(string attemptId) => Change(() => inFlight.Remove(attemptId));

    public void Wake() => signal.Wake();

    public ValueTask<bool> WaitAsync(CancellationToken token) => signal.WaitAsync(token);

    public bool TryNext([NotNullWhen(true)] out AgentMessage? message)
    {
        message = TryNextNote() ?? TryNextResults();
        return message is not null;
    }

    private AgentMessage? TryNextNote()
    {
        lock (gate)
        {
            if (beat != 0)
                return new AgentMessage { Heartbeat = new Heartbeat { Sequence = Take(ref beat) } };
            if (returned.Count > 0 || ((stopping || drained) && !drainingSaid))
                return Draining();
            if (!stopping && !drained && !MustReopen && outbox.Writable && slots.Grant() is > 0 and var credit)
                return new AgentMessage { Credit = new Credit { Slots = credit } };
            return started.Count > 0 ? Started() : null;
        }
    }

    // Whatever has gathered goes in one message: a message a result costs more than the result.
    private AgentMessage? TryNextResults()
    {
        lock (gate)
        {
            var batch = new FinishedBatch();
            for (var bytes = 0; bytes < MaxBatchBytes && inFlight.Count < MaxUnacknowledged && outbox.TryNext(out var attemptId, out var result);)
            {
                inFlight.Add(attemptId);
                batch.Results.Add(UnsafeByteOperations.UnsafeWrap(result));
                bytes += result.Length;
            }
            return batch.Results.Count > 0 ? new AgentMessage { Finished = batch } : null;
        }
    }

    private AgentMessage Started()
    {
        var message = new Started { Attempts = { started } };
        started.Clear();
        return new AgentMessage { Started = message };
    }

    private AgentMessage Draining()
    {
        drainingSaid = true;
        var message = new Draining { ReturnedAttempts = { returned } };
        returned.Clear();
        return new AgentMessage { Draining = message };
    }

    private static long Take(ref long value)
    {
        var taken = value;
        value = 0;
        return taken;
    }

    // No message takes credit back; a new stream begins without any, and gets none while the disk refuses results.
    private void OnOutboxChanged()
    {
        if (!outbox.Writable && slots.Granted > 0)
            Reopen();
        else
            Wake();
    }

    private void Change(Action change)
    {
        lock (gate) change();
        signal.Wake();
    }
}
