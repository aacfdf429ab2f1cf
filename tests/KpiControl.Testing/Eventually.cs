namespace KpiControl.Testing;

/// <summary>For what another's rhythm decides and nothing here can signal: asked again with a pause, for a minute.</summary>
public static class Eventually
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1), Pause = TimeSpan.FromMilliseconds(20);

    /// <param name="ask">Null: not yet.</param>
    public static async Task<T> ComesAsync<T>(string what, Func<CancellationToken, Task<T?>> ask) where T : class
    {
        using var limit = new CancellationTokenSource(Limit);
        using var tick = new PeriodicTimer(Pause);
        try
        {
            while (true)
            {
                if (await ask(limit.Token) is { } found)
                    return found;
                await tick.WaitForNextTickAsync(limit.Token);
            }
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            throw new TimeoutException($"Not within {Limit}: {what}");
        }
    }
}
