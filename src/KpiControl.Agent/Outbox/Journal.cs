namespace KpiControl.Agent.Outbox;

/// <summary>The journal's files, oldest first. One thread at a time uses it (the writer); see README.md for the format.</summary>
internal sealed class Journal(string directory, int segmentBytes) : IDisposable
{
    // Replaced, never changed: a repeated offer reads the list while the writer goes on.
    private JournalSegment[] segments = [.. JournalSegment.Find(directory)];
    private JournalSegment? current;

    public IReadOnlyList<JournalSegment> All => segments;

    /// <summary>All files but the one that is written to.</summary>
    public IReadOnlyList<JournalSegment> Sealed => [.. segments.Where(s => s != current)];

    /// <summary>Appends whole records and returns where they begin. After a failure the same bytes may be appended again.</summary>
    /// <exception cref="IOException">The disk did not take it.</exception>
    public (JournalSegment Segment, long Offset) Append(ReadOnlySpan<byte> records, bool durable)
    {
        if (current is null || current.Length >= segmentBytes)
            Roll();
        var offset = current!.Length;
        current.Append(records, durable);
        return (current, offset);
    }

    // Each start begins a new file: a damaged tail is left as it was found, and nothing is written after it.
    private void Roll()
    {
        current = new JournalSegment(directory, segments.Length == 0 ? 1 : segments[^1].Number + 1);
        segments = [.. segments, current];
    }

    public void Delete(JournalSegment segment)
    {
        segment.Delete();
        segments = [.. segments.Where(s => s != segment)];
    }

    public void Dispose() => Array.ForEach(segments, s => s.Dispose());
}
