using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace KpiControl.Agent.Outbox;

/// <summary>One file of the journal. Only the newest is written to; the others are read and, as a whole, deleted.</summary>
internal sealed class JournalSegment(string directory, long number) : IDisposable
{
    private SafeFileHandle? handle;

    public long Number { get; } = number;
    public string Path { get; } = System.IO.Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"journal-{number:D10}.log"));
    /// <summary>End of what is known to be whole; bytes of a failed write may lie beyond and are overwritten by the next try.</summary>
    public long Length { get; private set; }

    public static IEnumerable<JournalSegment> Find(string directory) =>
        from path in Directory.EnumerateFiles(directory, "journal-*.log")
        let digits = System.IO.Path.GetFileNameWithoutExtension(path)["journal-".Length..]
        where long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out _)
        let number = long.Parse(digits, CultureInfo.InvariantCulture)
        orderby number
        select new JournalSegment(directory, number);

    public DateTimeOffset WrittenAt => File.GetLastWriteTimeUtc(Path);

    /// <summary>The file as found at start; from then on it is only read.</summary>
    public byte[] ReadAll()
    {
        var bytes = File.ReadAllBytes(Path);
        Length = bytes.Length;
        return bytes;
    }

    /// <exception cref="IOException">The disk did not take it; nothing counts as written, call again with the same bytes.</exception>
    public void Append(ReadOnlySpan<byte> bytes, bool durable)
    {
        // A new file's directory entry is committed with its first fsync on ext4, xfs and btrfs.
        handle ??= File.OpenHandle(Path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        RandomAccess.Write(handle, bytes, Length);
        if (durable)
            RandomAccess.FlushToDisk(handle);
        Length += bytes.Length;
    }

    public void Read(long offset, Span<byte> into)
    {
        handle ??= File.OpenHandle(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var read = 0;
        while (read < into.Length)
        {
            var n = RandomAccess.Read(handle, into[read..], offset + read);
            if (n == 0)
                throw new IOException($"{Path} ends within a record at {offset}.");
            read += n;
        }
    }

    public void Delete()
    {
        Dispose();
        File.Delete(Path);
    }

    public void Dispose() => handle?.Dispose();
}
