using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace KpiControl.Jobs.Schedules;

/// <summary>Where within its <c>spread</c> a binding's slots lie: a hash, so that many jobs of one time do not meet, and none ever moves.</summary>
internal static class Spread
{
    /// <returns>Whole seconds, less than the spread.</returns>
    public static TimeSpan Offset(TimeSpan? spread, string identity)
    {
        if (spread is not { TotalSeconds: >= 1 } length) return TimeSpan.Zero;
        var place = BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes("spread:" + identity)));
        return TimeSpan.FromSeconds(place % (ulong)length.TotalSeconds);
    }
}
