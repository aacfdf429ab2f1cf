using System.Buffers;
using System.Buffers.Binary;

namespace KpiControl.Agent.Outbox;

internal enum RecordKind : byte
{
    /// <summary>Written at each start: shows that the disk takes writes before any lease is taken.</summary>
    Opened = 1,
    /// <summary>A serialised Finished.</summary>
    Result = 2,
    /// <summary>One byte of outcome, then the attempt's id.</summary>
    Acknowledged = 3,
}

/// <summary>
/// Journal format: <c>"KPJ1"</c>, payload length (u32), CRC-32C (u32) of kind and payload, kind (u8), payload; little endian.
/// </summary>
internal static class JournalRecord
{
    public const int HeaderBytes = 13;
    private const int MaxPayload = 1 << 26;

    public static ReadOnlySpan<byte> Magic => "KPJ1"u8;

    public static void Write(IBufferWriter<byte> to, RecordKind kind, ReadOnlySpan<byte> payload)
    {
        var span = to.GetSpan(HeaderBytes + payload.Length)[..(HeaderBytes + payload.Length)];
        Magic.CopyTo(span);
        BinaryPrimitives.WriteUInt32LittleEndian(span[4..], (uint)payload.Length);
        span[12] = (byte)kind;
        payload.CopyTo(span[HeaderBytes..]);
        BinaryPrimitives.WriteUInt32LittleEndian(span[8..], Checksum.Of(span[12..]));
        to.Advance(span.Length);
    }

    /// <summary>Reads the record at the start of <paramref name="from"/>; false when it is torn, flipped or none.</summary>
    public static bool TryRead(ReadOnlySpan<byte> from, out RecordKind kind, out ReadOnlySpan<byte> payload)
    {
        kind = default;
        payload = default;
        if (from.Length < HeaderBytes || !from.StartsWith(Magic))
            return false;
        var length = BinaryPrimitives.ReadUInt32LittleEndian(from[4..]);
        if (length > MaxPayload || length > from.Length - HeaderBytes)
            return false;
        var body = from[12..(HeaderBytes + (int)length)];
        if (Checksum.Of(body) != BinaryPrimitives.ReadUInt32LittleEndian(from[8..]))
            return false;
        kind = (RecordKind)body[0];
        payload = body[1..];
        return true;
    }
}
