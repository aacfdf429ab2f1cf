using System.Text;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Outbox;

/// <summary>Payload of <see cref="RecordKind.Acknowledged"/>.</summary>
internal static class AckRecord
{
    public static byte[] Payload(string attemptId, FinishedAck.Types.Outcome outcome) =>
        [(byte)outcome, .. Encoding.UTF8.GetBytes(attemptId)];

    public static string AttemptId(ReadOnlySpan<byte> payload) => Encoding.UTF8.GetString(payload[1..]);

    /// <summary>Control has the result. A stale or refused one is not worth offering again.</summary>
    public static bool WasRecorded(ReadOnlySpan<byte> payload) =>
        (FinishedAck.Types.Outcome)payload[0] is FinishedAck.Types.Outcome.Recorded or FinishedAck.Types.Outcome.AlreadyRecorded;
}
