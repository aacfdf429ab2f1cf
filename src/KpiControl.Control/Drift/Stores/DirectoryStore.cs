using System.Globalization;
using System.Text;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Drift.Stores;

/// <summary>Files beneath a directory. A file whose time and size are those that were seen has the content that was read.</summary>
internal sealed class DirectoryStore(StoreSettings settings) : IArtifactStore
{
    // Links lead elsewhere; what may not be listed must not look as if it were gone.
    private static readonly EnumerationOptions All = new() { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = false };

    private readonly PathPatterns patterns = new(settings.Patterns);

    public Task<IStoreSnapshot> OpenAsync(string? before, CancellationToken token) => Task.Run<IStoreSnapshot>(() =>
    {
        try
        {
            return new Snapshot(settings.Location, List());
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StoreFaultException($"the directory {settings.Location} cannot be listed: {error.Message}");
        }
    }, token);

    public Task<IReadOnlyList<WriteOutcome>> WriteAsync(IReadOnlyList<PendingWrite> writes, string? before, CancellationToken token) =>
        Task.Run<IReadOnlyList<WriteOutcome>>(() => [.. writes.Select(Write)], token);

    private WriteOutcome Write(PendingWrite write)
    {
        var file = new FileInfo(Path.Combine(settings.Location, write.Path));
        try
        {
            if (!Directory.Exists(settings.Location))
                throw new StoreFaultException($"the directory {settings.Location} is not there");
            if (LeadsElsewhere(file))
                return WriteOutcome.Refused($"{write.Path} leads through a link, and links lead nowhere here");
            if (file.Exists && file.Length <= ArtifactLimits.MaxBytes && write.IsMeantBy(File.ReadAllBytes(file.FullName)))
                return WriteOutcome.Stored(null);
            if (!write.MayReplace(file.Exists ? VersionOf(file) : null, () => file.Length <= ArtifactLimits.MaxBytes ? File.ReadAllBytes(file.FullName) : default))
                return WriteOutcome.Moved(write.Path);
            Replace(file, write);
            return WriteOutcome.Stored(null);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return WriteOutcome.Failed($"{write.Path} cannot be written: {error.Message}");
        }
    }

    // Whoever reads meanwhile finds the one or the other, whole. Its name begins with a dot: it is no artifact.
    private static void Replace(FileInfo file, PendingWrite write)
    {
        file.Directory!.Create();
        var beside = Path.Combine(file.DirectoryName!, $".kpi-write-{write.WriteId}");
        using (var written = new FileStream(beside, FileMode.Create, FileAccess.Write))
        {
            written.Write(Encoding.UTF8.GetBytes(write.Text));
            written.Flush(flushToDisk: true);
        }
        File.Move(beside, file.FullName, overwrite: true);
    }

    private bool LeadsElsewhere(FileInfo file)
    {
        if (file.LinkTarget is not null)
            return true;
        for (var folder = file.Directory; folder is not null && folder.FullName.Length > settings.Location.TrimEnd('/').Length; folder = folder.Parent)
            if (folder.LinkTarget is not null)
                return true;
        return false;
    }

    private static string VersionOf(FileInfo file) => string.Create(CultureInfo.InvariantCulture, $"{file.LastWriteTimeUtc.Ticks:x}-{file.Length}");

    private List<StoreEntry> List()
    {
        var root = new DirectoryInfo(settings.Location);
        if (!root.Exists)
            throw new StoreFaultException($"the directory {settings.Location} is not there");
        var files = root.EnumerateFiles("*", All).Select(file => (Path: Path.GetRelativePath(root.FullName, file.FullName).Replace('\\', '/'), File: file)).ToList();
        return [.. patterns.Select(files, found => found.Path)
            .Select(found => new StoreEntry(found.Path, VersionOf(found.File)))
            .OrderBy(entry => entry.Path, StringComparer.Ordinal)];
    }

    private sealed class Snapshot(string root, IReadOnlyList<StoreEntry> entries) : IStoreSnapshot
    {
        public string Version { get; } = StoreEntry.VersionOf(entries);

        public string? Commit => null;

        public bool IsRewritten => false;

        public int ReadsAtOnce => 1;

        public IReadOnlyList<StoreEntry> List() => entries;

        public async Task<byte[]> ReadAsync(StoreEntry entry, CancellationToken token)
        {
            try
            {
                await using var file = File.OpenRead(Path.Combine(root, entry.Path));
                var bytes = new byte[(int)Math.Min(file.Length, ArtifactLimits.MaxBytes + 1)];
                return bytes[..await file.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, token)];
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new StoreFaultException($"the file cannot be read: {error.Message}");
            }
        }

        public void Dispose()
        {
        }
    }
}
