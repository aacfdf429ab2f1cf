using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Outbox;

/// <summary>Reads journal files: what is unacknowledged at start, and what was recorded when it is to be offered again.</summary>
internal static partial class JournalReplay
{
    /// <summary>Fills the index; returns the highest cluster epoch that any result was made under.</summary>
    public static int Load(Journal journal, OutboxIndex index, ILogger log)
    {
        var epoch = 0;
        foreach (var segment in journal.All)
        {
            var scan = new JournalScan(segment.ReadAll());
            while (scan.Next())
            {
                if (scan.Kind == RecordKind.Acknowledged)
                    index.Remove(AckRecord.AttemptId(scan.Payload));
                else if (scan.Kind == RecordKind.Result)
                {
                    var finished = Finished.Parser.ParseFrom(scan.Payload);
                    epoch = Math.Max(epoch, finished.Fence?.Epoch ?? 0);
                    index.Add(OutboxEntry.At(segment, scan.Offset, scan.Payload.Length, finished));
                }
            }
            if (scan.DamagedBytes > 0)
                Log.Damaged(log, segment.Path, scan.FirstDamage, scan.DamagedBytes);
        }
        return epoch;
    }

    /// <summary>Results that control had recorded, in order; they still lie in the journal for the retention time.</summary>
    public static List<OutboxEntry> Recorded(Journal journal)
    {
        var seen = new Dictionary<string, OutboxEntry>(StringComparer.Ordinal);
        var recorded = new List<OutboxEntry>();
        foreach (var segment in journal.All.Where(s => File.Exists(s.Path)))
        {
            var scan = new JournalScan(File.ReadAllBytes(segment.Path));
            while (scan.Next())
            {
                if (scan.Kind == RecordKind.Result)
                {
                    var entry = OutboxEntry.At(segment, scan.Offset, scan.Payload.Length, Finished.Parser.ParseFrom(scan.Payload), again: true);
                    seen[entry.Held.AttemptId] = entry;
                }
                else if (scan.Kind == RecordKind.Acknowledged && AckRecord.WasRecorded(scan.Payload)
                         && seen.Remove(AckRecord.AttemptId(scan.Payload), out var acknowledged))
                    recorded.Add(acknowledged);
            }
        }
        return recorded;
    }

    private static partial class Log
    {
        [LoggerMessage(1101, LogLevel.Error, "Outbox file {Path} is damaged from byte {Offset}: {Bytes} bytes dropped, the sound records around them are kept. A torn end is what a crash leaves and was never acknowledged; anything else points to a failing disk.")]
        public static partial void Damaged(ILogger log, string path, int offset, int bytes);
    }
}
