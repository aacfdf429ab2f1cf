using KpiControl.Control.Drift.Stores;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Drift;

/// <summary>One pass over a store: writes what waits for it, lists what is there, reads what is new, and notes what it found.</summary>
internal sealed class StorePass(SyncStateStore states, PendingWriteStore writes, ArtifactStores stores, IOptions<DriftOptions> options)
{
    private const int BatchSize = 500;

    /// <summary>Longer than a pass may take between two writes.</summary>
    public TimeSpan ClaimLength => options.Value.Timeout * 3;

    /// <returns>Null where another node came to be at the store meanwhile.</returns>
    /// <exception cref="StoreFaultException">The store cannot be read.</exception>
    public async Task<PassResult?> RunAsync(ClaimedStore claimed, CancellationToken token)
    {
        await WriteAsync(claimed, token);
        using var snapshot = await WithinAsync(bound => stores.Of(claimed.Store).OpenAsync(claimed.Version, bound), token);
        var result = new PassResult(snapshot.Version, snapshot.IsRewritten, 0, []);
        if (claimed.ReadsAll || snapshot.Version != claimed.Version)
        {
            if (await ReadAsync(claimed, snapshot, token) is not { } read)
                return null;
            result = result with { ContentsRead = read.Contents, Gone = read.Gone };
        }
        return await states.EndAsync(claimed, result, options.Value.SyncEvery, token) ? result : null;
    }

    // Before anything is read, so that the pass sees what it wrote. What cannot be written keeps nothing from being read.
    private async Task WriteAsync(ClaimedStore claimed, CancellationToken token)
    {
        var pending = (await writes.OfAsync(claimed, token)).ToLookup(write => write.Obsolete is not null);
        foreach (var write in pending[true])
            await writes.EndAsync(write, WriteOutcome.Refused(write.Obsolete!), token);
        PendingWrite[] current = [.. pending[false]];
        if (current.Length == 0)
            return;
        var outcomes = await TryWriteAsync(claimed, current, token);
        foreach (var (write, outcome) in current.Zip(outcomes))
            await writes.EndAsync(write, outcome, token);
    }

    private async Task<IReadOnlyList<WriteOutcome>> TryWriteAsync(ClaimedStore claimed, PendingWrite[] current, CancellationToken token)
    {
        try
        {
            return await WithinAsync(bound => stores.Of(claimed.Store).WriteAsync(current, claimed.Version, bound), token);
        }
        catch (StoreFaultException fault)
        {
            return [.. current.Select(_ => WriteOutcome.Failed(fault.Message))];
        }
    }

    private async Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken token)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(token);
        bound.CancelAfter(options.Value.Timeout);
        try
        {
            return await call(bound.Token);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            throw new StoreFaultException($"no answer within {options.Value.Timeout.TotalSeconds:0.#} s");
        }
    }

    private async Task<(int Contents, IReadOnlyList<string> Gone)?> ReadAsync(ClaimedStore claimed, IStoreSnapshot snapshot, CancellationToken token)
    {
        var entries = snapshot.List();
        var known = await states.KnownAsync(claimed, token);
        var news = entries.Where(entry => claimed.ReadsAll || known.GetValueOrDefault(entry.Path) != entry.Version).ToList();
        foreach (var batch in news.Chunk(BatchSize))
            if (!await states.PutAsync(claimed, await ReadAsync(claimed, snapshot, batch, token), ClaimLength, token))
                return null;
        return (news.Count, [.. known.Keys.Except(entries.Select(entry => entry.Path), StringComparer.Ordinal)]);
    }

    private async Task<ReadArtifact[]> ReadAsync(ClaimedStore claimed, IStoreSnapshot snapshot, StoreEntry[] entries, CancellationToken token)
    {
        var read = new ReadArtifact[entries.Length];
        var atOnce = new ParallelOptions { MaxDegreeOfParallelism = snapshot.ReadsAtOnce, CancellationToken = token };
        await Parallel.ForAsync(0, entries.Length, atOnce, async (i, stopped) => read[i] = await ReadAsync(claimed, snapshot, entries[i], stopped));
        return read;
    }

    private async Task<ReadArtifact> ReadAsync(ClaimedStore claimed, IStoreSnapshot snapshot, StoreEntry entry, CancellationToken token)
    {
        try
        {
            return ReadArtifact.Of(entry, snapshot.Commit, await WithinAsync(bound => snapshot.ReadAsync(entry, bound), token), claimed.TenantId);
        }
        catch (StoreFaultException fault)
        {
            // One that cannot be read does not keep the others from being.
            return ReadArtifact.Unreadable(entry, snapshot.Commit, fault.Message);
        }
    }
}
