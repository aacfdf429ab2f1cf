using System.Buffers.Binary;

namespace KpiControl.Control.Leases;

/// <summary>What an attempt's UUID tells.</summary>
internal static class AttemptId
{
    /// <summary>When the attempt was granted, by the database's clock and cut to the millisecond: version 7 begins with it. Null of any other UUID.</summary>
    public static DateTimeOffset? GrantedAt(Guid attempt)
    {
        Span<byte> bytes = stackalloc byte[16];
        attempt.TryWriteBytes(bytes, bigEndian: true, out _);
        var milliseconds = BinaryPrimitives.ReadInt64BigEndian(bytes) >>> 16;
        return attempt.Version == 7 && milliseconds < 4_102_444_800_000 ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds) : null;
    }
}
