namespace KpiControl.Agent.Outbox;

/// <summary>Walks the bytes of one journal file, past what is torn or flipped to the next sound record.</summary>
internal ref struct JournalScan(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> bytes = bytes;
    private int next;

    public RecordKind Kind { get; private set; }
    public ReadOnlySpan<byte> Payload { get; private set; }
    /// <summary>Where the payload begins in the file.</summary>
    public int Offset { get; private set; }
    public int DamagedBytes { get; private set; }
    public int FirstDamage { get; private set; } = -1;

    public bool Next()
    {
        while (next < bytes.Length)
        {
            if (JournalRecord.TryRead(bytes[next..], out var kind, out var payload))
            {
                Kind = kind;
                Payload = payload;
                Offset = next + JournalRecord.HeaderBytes;
                next = Offset + payload.Length;
                return true;
            }
            SkipDamage();
        }
        return false;
    }

    private void SkipDamage()
    {
        if (FirstDamage < 0)
            FirstDamage = next;
        var magic = bytes[(next + 1)..].IndexOf(JournalRecord.Magic);
        var resume = magic < 0 ? bytes.Length : next + 1 + magic;
        DamagedBytes += resume - next;
        next = resume;
    }
}
