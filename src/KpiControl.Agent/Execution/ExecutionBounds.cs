using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Execution;

/// <summary>The bounds, with the clock that keeps them.</summary>
internal sealed class ExecutionBounds(IOptions<ExecutionOptions> options, TimeProvider time)
{
    public ExecutionOptions Options => options.Value;

    public ITimer After(TimeSpan delay, TimerCallback callback, object state) => time.CreateTimer(callback, state, delay, Timeout.InfiniteTimeSpan);

    /// <summary>Waits for the work, for no longer than the bound; true when it has ended, in whatever way.</summary>
    public async Task<bool> WithinAsync(Task work, TimeSpan bound, CancellationToken now = default)
    {
        if (!work.IsCompleted)
            await work.WaitAsync(bound, time, now).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return work.IsCompleted;
    }
}
