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

    private List<StoreEntry> List()
    {
        var root = new DirectoryInfo(settings.Location);
        if (!root.Exists)
            throw new StoreFaultException($"the directory {settings.Location} is not there");
        var files = root.EnumerateFiles("*", All).Select(file => (Path: Path.GetRelativePath(root.FullName, file.FullName).Replace('\\', '/'), File: file)).ToList();
        return [.. patterns.Select(files, found => found.Path)
            .Select(found => new StoreEntry(found.Path, string.Create(CultureInfo.InvariantCulture, $"{found.File.LastWriteTimeUtc.Ticks:x}-{found.File.Length}")))
            .OrderBy(entry => entry.Path, StringComparer.Ordinal)];
    }

    private sealed class Snapshot(string root, IReadOnlyList<StoreEntry> entries) : IStoreSnapshot
    {
        public string Version { get; } = ContentHash.Of(Encoding.UTF8.GetBytes(string.Join('\n', entries.Select(entry => $"{entry.Version} {entry.Path}"))));

        public string? Commit => null;

        public bool IsRewritten => false;

        public IReadOnlyList<StoreEntry> List() => entries;

        public byte[] Read(StoreEntry entry)
        {
            try
            {
                using var file = File.OpenRead(Path.Combine(root, entry.Path));
                var bytes = new byte[(int)Math.Min(file.Length, ArtifactLimits.MaxBytes + 1)];
                return bytes[..file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
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
