using System.Text;

namespace KpiControl.Control.Drift.Stores;

/// <summary>Objects of a bucket. One whose version is that which was seen has the content that was read.</summary>
internal sealed class BucketStore(StoreSettings settings, IBucket bucket) : IArtifactStore, IDisposable
{
    // A prefix that somebody left out would list a data lake.
    private const int MostObjects = 100_000;

    private readonly PathPatterns patterns = new(settings.Patterns);

    public async Task<IStoreSnapshot> OpenAsync(string? before, CancellationToken token)
    {
        var found = new List<StoreEntry>();
        await foreach (var entry in bucket.ListAsync(token))
            if (found.Count == MostObjects)
                throw new StoreFaultException($"{settings.Location} holds more than {MostObjects:N0} objects: name a prefix in Location that holds the artifacts");
            else if (IsPath(entry.Path))
                found.Add(entry);
        return new Snapshot(bucket, [.. patterns.Select(found, entry => entry.Path).OrderBy(entry => entry.Path, StringComparer.Ordinal)]);
    }

    public async Task<IReadOnlyList<WriteOutcome>> WriteAsync(IReadOnlyList<PendingWrite> writes, string? before, CancellationToken token)
    {
        var outcomes = new List<WriteOutcome>();
        foreach (var write in writes)
            outcomes.Add(await WriteAsync(write, token));
        return outcomes;
    }

    public void Dispose() => bucket.Dispose();

    private async Task<WriteOutcome> WriteAsync(PendingWrite write, CancellationToken token)
    {
        try
        {
            var there = await bucket.ReadAsync(write.Path, null, token);
            if (there is not null && write.IsMeantBy(there.Content))
                return WriteOutcome.Stored(null);
            return write.MayReplace(there?.Version, () => there!.Content) && await bucket.PutAsync(write.Path, there?.Version, Encoding.UTF8.GetBytes(write.Text), token)
                ? WriteOutcome.Stored(null)
                : WriteOutcome.Moved(write.Path);
        }
        catch (StoreFaultException fault)
        {
            return WriteOutcome.Failed($"{write.Path} cannot be written: {fault.Message}");
        }
    }

    // A bucket takes any name: markers of folders, and what no path can be, are no artifacts.
    private static bool IsPath(string name) => name.Length > 0 && !name.EndsWith('/') && !name.Any(char.IsControl) && !name.Split('/').Any(part => part is "" or "." or "..");

    private sealed class Snapshot(IBucket bucket, IReadOnlyList<StoreEntry> entries) : IStoreSnapshot
    {
        public string Version { get; } = StoreEntry.VersionOf(entries);

        public string? Commit => null;

        public bool IsRewritten => false;

        public int ReadsAtOnce => 8;

        public IReadOnlyList<StoreEntry> List() => entries;

        public async Task<byte[]> ReadAsync(StoreEntry entry, CancellationToken token) =>
            (await bucket.ReadAsync(entry.Path, entry.Version, token) ?? throw new StoreFaultException("it is gone, or another, since the store was listed")).Content;

        // The bucket is the store's.
        public void Dispose()
        {
        }
    }
}
