using KpiControl.Control.Drift.Stores;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Drift;

/// <summary>One pass over a store: lists what is there, reads what is new, and writes down what it found.</summary>
internal sealed class StorePass(SyncStateStore states, ArtifactStores stores, IOptions<DriftOptions> options)
{
    private const int BatchSize = 500;

    /// <summary>Longer than a pass may take between two writes.</summary>
    public TimeSpan ClaimLength => options.Value.Timeout * 2;

    /// <returns>Null where another node came to be at the store meanwhile.</returns>
    /// <exception cref="StoreFaultException">The store cannot be read.</exception>
    public async Task<PassResult?> RunAsync(ClaimedStore claimed, CancellationToken token)
    {
        using var snapshot = await OpenAsync(claimed, token);
        var result = new PassResult(snapshot.Version, snapshot.IsRewritten, 0, []);
        if (claimed.ReadsAll || snapshot.Version != claimed.Version)
        {
            if (await ReadAsync(claimed, snapshot, token) is not { } read)
                return null;
            result = result with { ContentsRead = read.Contents, Gone = read.Gone };
        }
        return await states.EndAsync(claimed, result, options.Value.SyncEvery, token) ? result : null;
    }

    private async Task<IStoreSnapshot> OpenAsync(ClaimedStore claimed, CancellationToken token)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(token);
        bound.CancelAfter(options.Value.Timeout);
        try
        {
            return await stores.Of(claimed.Store).OpenAsync(claimed.Version, bound.Token);
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
            if (!await states.PutAsync(claimed, [.. batch.Select(entry => Read(claimed, snapshot, entry))], ClaimLength, token))
                return null;
        return (news.Count, [.. known.Keys.Except(entries.Select(entry => entry.Path), StringComparer.Ordinal)]);
    }

    private static ReadArtifact Read(ClaimedStore claimed, IStoreSnapshot snapshot, StoreEntry entry)
    {
        try
        {
            return ReadArtifact.Of(entry, snapshot.Commit, snapshot.Read(entry), claimed.TenantId);
        }
        catch (StoreFaultException fault)
        {
            // One that cannot be read does not keep the others from being.
            return ReadArtifact.Unreadable(entry, snapshot.Commit, fault.Message);
        }
    }
}
