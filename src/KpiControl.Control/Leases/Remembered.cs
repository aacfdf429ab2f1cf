namespace KpiControl.Control.Leases;

/// <summary>Something small of the database that every turn asks for: kept in memory for half a minute, or until somebody says that it may be another.</summary>
internal sealed class Remembered<T>(Func<CancellationToken, Task<T>> read, TimeProvider time) : IDisposable where T : class
{
    // A message that says so may be missed.
    private static readonly TimeSpan Oldest = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _reading = new(1);
    private volatile T? _known;
    private long _readAt;
    private int _stale = 1;

    /// <summary>It may be another now.</summary>
    public void Look() => Volatile.Write(ref _stale, 1);

    public ValueTask<T> NowAsync(CancellationToken token) =>
        Volatile.Read(ref _stale) == 0 && _known is { } known && time.GetElapsedTime(Volatile.Read(ref _readAt)) < Oldest ? ValueTask.FromResult(known) : new(ReadAsync(token));

    public void Dispose() => _reading.Dispose();

    private async Task<T> ReadAsync(CancellationToken token)
    {
        await _reading.WaitAsync(token);
        try
        {
            // Before the look: what is told meanwhile is looked at again.
            Volatile.Write(ref _stale, 0);
            var at = time.GetTimestamp();
            var known = await read(token);
            _known = known;
            Volatile.Write(ref _readAt, at);
            return known;
        }
        catch
        {
            Look();
            throw;
        }
        finally
        {
            _reading.Release();
        }
    }
}
