using System.Buffers.Binary;
using System.Text;

namespace KpiControl.EndToEnd.Tests.Kills;

/// <summary>
/// An agent's journal, read as <c>src/KpiControl.Agent/Outbox/README.md</c> describes it and not with the agent's own
/// code: what it says of the agent is then a second opinion.
/// </summary>
internal static class JournalFile
{
    private const int Header = 13;
    private const byte Result = 2, Acknowledged = 3;

    /// <summary>Whether the attempt's result is on disk.</summary>
    public static bool HasResult(string outbox, Guid attempt) =>
        Records(outbox).Any(r => r.Kind == Result && r.Payload.AsSpan().IndexOf(Encoding.ASCII.GetBytes(attempt.ToString())) >= 0);

    /// <summary>Attempts whose result the control plane acknowledged as recorded.</summary>
    public static IEnumerable<Guid> Recorded(string outbox) =>
        Records(outbox).Where(r => r.Kind == Acknowledged && r.Payload[0] is 1 or 2).Select(r => Guid.Parse(Encoding.ASCII.GetString(r.Payload.AsSpan(1))));

    private static IEnumerable<(byte Kind, byte[] Payload)> Records(string outbox)
    {
        if (!Directory.Exists(outbox))
            yield break;
        foreach (var file in Directory.GetFiles(outbox, "journal-*.log").Order(StringComparer.Ordinal))
        {
            var bytes = ReadShared(file);
            for (var at = 0; at + Header <= bytes.Length && bytes.AsSpan(at).StartsWith("KPJ1"u8);)
            {
                var length = (int)BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 4));
                if (at + Header + length > bytes.Length)
                    break;
                yield return (bytes[at + 12], bytes[(at + Header)..(at + Header + length)]);
                at += Header + length;
            }
        }
    }

    private static byte[] ReadShared(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
