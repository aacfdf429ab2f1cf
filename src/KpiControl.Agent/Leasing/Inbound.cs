using KpiControl.Agent.Execution;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Leasing;

/// <summary>Does what control says. Called by one stream's reader at a time, in order.</summary>
internal sealed partial class Inbound(Attempts attempts, Outbox.Outbox outbox, Outbound outbound, TrustWindow trust, ILogger<Inbound> log)
{
    private readonly ContractCache contracts = new();

    public void Welcomed(Welcome welcome)
    {
        contracts.Open(welcome.SessionId);
        outbox.Welcomed(welcome.ClusterEpoch);
        foreach (var lost in welcome.LostAttempts)
        {
            // A result in hand is reported all the same: control's fence decides, and keeps it as evidence.
            if (attempts.Stop(lost, StopReason.LostLease))
                Log.LostLease(log, lost);
        }
    }

    /// <summary>The end of the stream when the message asks for it.</summary>
    public StreamEnd? Handle(ControlMessage message)
    {
        switch (message.MessageCase)
        {
            case ControlMessage.MessageOneofCase.Leases:
                foreach (var lease in message.Leases.Leases)
                    Take(lease);
                break;
            case ControlMessage.MessageOneofCase.FinishedAcks:
                foreach (var ack in message.FinishedAcks.Acks)
                    Acknowledge(ack);
                break;
            case ControlMessage.MessageOneofCase.HeartbeatAck:
                trust.Answered(message.HeartbeatAck.Sequence);
                break;
            case ControlMessage.MessageOneofCase.Cancel:
                Cancel(message.Cancel);
                break;
            case ControlMessage.MessageOneofCase.Drain:
                Log.Drained(log, message.Drain.Reason);
                outbound.Drain();
                break;
            case ControlMessage.MessageOneofCase.Reconnect:
                return new StreamEnd(StreamEndKind.Moved, $"The control node asks to connect again ({message.Reconnect.Reason}).");
            default:
                // A newer control plane may say more than this agent knows; it refuses by name what it relies on.
                Log.NotUnderstood(log, message.MessageCase);
                break;
        }
        return null;
    }

    private void Take(Lease lease)
    {
        outbox.SeenEpoch(lease.Fence?.Epoch ?? 0);
        attempts.Start(lease, contracts.Resolve(lease));
    }

    private void Acknowledge(FinishedAck ack)
    {
        if (ack.Outcome is FinishedAck.Types.Outcome.Stale or FinishedAck.Types.Outcome.Refused)
            Log.NotRecorded(log, ack.AttemptId, ack.Outcome, ack.Detail);
        outbox.Acknowledge(ack.AttemptId, ack.Outcome);
        outbound.Acknowledged(ack.AttemptId);
        outbox.SeenEpoch(ack.CurrentFence?.Epoch ?? 0);
    }

    private void Cancel(Cancel cancel)
    {
        if (attempts.Stop(cancel.AttemptId, StopReason.Cancelled))
            Log.Cancelled(log, cancel.AttemptId, cancel.Reason);
    }

    private static partial class Log
    {
        [LoggerMessage(1301, LogLevel.Warning, "Attempt {Attempt} has lost its lease: it is stopped.")]
        public static partial void LostLease(ILogger log, string attempt);

        [LoggerMessage(1302, LogLevel.Warning, "The result of attempt {Attempt} changed nothing: {Outcome} {Detail}")]
        public static partial void NotRecorded(ILogger log, string attempt, FinishedAck.Types.Outcome outcome, string detail);

        [LoggerMessage(1303, LogLevel.Information, "Attempt {Attempt} is cancelled: {Reason}")]
        public static partial void Cancelled(ILogger log, string attempt, string reason);

        [LoggerMessage(1304, LogLevel.Information, "Control drains this agent: {Reason} It takes no more leases and finishes what it holds.")]
        public static partial void Drained(ILogger log, string reason);

        [LoggerMessage(1305, LogLevel.Warning, "Control said something that this agent does not know ({Message}); ignored.")]
        public static partial void NotUnderstood(ILogger log, ControlMessage.MessageOneofCase message);
    }
}
