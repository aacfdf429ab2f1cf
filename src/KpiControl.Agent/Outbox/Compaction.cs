using System.Buffers;

namespace KpiControl.Agent.Outbox;

/// <summary>Deletes journal files past their retention; the few results in them that still wait move to the newest file first.</summary>
internal sealed class Compaction(Journal journal, OutboxIndex index, OutboxOptions options, TimeProvider time, Lock files)
{
    /// <exception cref="IOException">The disk refuses; nothing is lost, try again later.</exception>
    public void Run()
    {
        var sealedOnes = journal.Sealed;
        var acknowledgedBytes = sealedOnes.Sum(s => s.Length - WaitingBytes(s));
        foreach (var segment in sealedOnes)
        {
            var waiting = WaitingBytes(segment);
            // Mostly waiting results: moving them would write them again and free little.
            if (waiting > segment.Length / 2)
                continue;
            if (acknowledgedBytes <= options.KeepBytes && time.GetUtcNow() - segment.WrittenAt <= options.KeepFor)
                return;
            Move(index.In(segment));
            lock (files) journal.Delete(segment);
            acknowledgedBytes -= segment.Length - waiting;
        }
    }

    private long WaitingBytes(JournalSegment segment) => index.In(segment).Sum(e => (long)e.Length);

    private void Move(List<OutboxEntry> entries)
    {
        if (entries.Count == 0)
            return;
        var buffer = new ArrayBufferWriter<byte>();
        entries.ForEach(e => JournalRecord.Write(buffer, RecordKind.Result, e.Read()));
        var (segment, offset) = journal.Append(buffer.WrittenSpan, durable: true);
        lock (files)
        {
            foreach (var entry in entries)
            {
                (entry.Segment, entry.Offset) = (segment, offset + JournalRecord.HeaderBytes);
                offset += JournalRecord.HeaderBytes + entry.Length;
            }
        }
    }
}
