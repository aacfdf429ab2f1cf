namespace KpiControl.Control.Leases;

/// <summary>The share of a lane that a tenant takes in its turn, where more is due than there is credit for.</summary>
internal sealed class TenantWeights(TenantWeightStore store, TimeProvider time) : IDisposable
{
    private readonly Remembered<IReadOnlyDictionary<string, int>> _known = new(store.OtherThanOneAsync, time);

    /// <summary>Those that are not 1. A change counts within half a minute.</summary>
    public ValueTask<IReadOnlyDictionary<string, int>> NowAsync(CancellationToken token) => _known.NowAsync(token);

    public void Dispose() => _known.Dispose();
}
