using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Outbox;

/// <summary>A result that is on disk and not acknowledged.</summary>
internal sealed class OutboxEntry
{
    public required HeldAttempt Held { get; init; }
    public required JournalSegment Segment { get; set; }
    public required long Offset { get; set; }
    public required int Length { get; init; }
    /// <summary>It had been acknowledged, and is offered again since the cluster epoch changed: no lease hangs on it.</summary>
    public bool Again { get; init; }

    public static OutboxEntry At(JournalSegment segment, long offset, int length, Finished finished, bool again = false) => new()
    {
        Held = new HeldAttempt { AttemptId = finished.AttemptId, BindingId = finished.BindingId, Fence = finished.Fence },
        Segment = segment,
        Offset = offset,
        Length = length,
        Again = again,
    };

    public byte[] Read()
    {
        var bytes = new byte[Length];
        Segment.Read(Offset, bytes);
        return bytes;
    }
}
