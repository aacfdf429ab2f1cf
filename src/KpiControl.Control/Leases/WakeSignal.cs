namespace KpiControl.Control.Leases;

/// <summary>A bell: rung any number of times, it wakes its one listener once.</summary>
internal sealed class WakeSignal(TimeProvider time)
{
    private TaskCompletionSource _bell = New();

    public void Ring() => Volatile.Read(ref _bell).TrySetResult();

    /// <summary>Returns when rung, or when the time is over. Rings between two waits are not lost.</summary>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken token)
    {
        var bell = Volatile.Read(ref _bell);
        if (!bell.Task.IsCompleted && atMost > TimeSpan.Zero)
            try
            {
                await bell.Task.WaitAsync(atMost, time, token);
            }
            catch (TimeoutException)
            {
                // The poll's turn.
            }
        token.ThrowIfCancellationRequested();
        if (bell.Task.IsCompleted)
            Volatile.Write(ref _bell, New());
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
