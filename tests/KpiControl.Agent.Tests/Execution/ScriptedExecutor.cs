using System.Collections.Concurrent;
using KpiControl.Agent.Executors;

namespace KpiControl.Agent.Tests.Execution;

/// <summary>An executor that does what the test says; by default it succeeds at once.</summary>
internal sealed class ScriptedExecutor : IExecutor
{
    public static Outcome Success { get; } = new() { Status = "success", Executor = "sql/test", RowsProcessed = 3 };

    public Func<LeasedCall, CancellationToken, CancellationToken, Task<Outcome>> Script { get; set; } = (_, _, _) => Task.FromResult(Success);

    public ConcurrentQueue<LeasedCall> Calls { get; } = new();

    public Task<Outcome> ExecuteAsync(LeasedCall lease, CancellationToken gentle, CancellationToken force)
    {
        Calls.Enqueue(lease);
        return Script(lease, gentle, force);
    }

    /// <summary>Runs until it is told to stop, then says so, as a well-behaved executor does.</summary>
    public static async Task<Outcome> UntilStopped(LeasedCall lease, CancellationToken gentle, CancellationToken force)
    {
        var stopped = new TaskCompletionSource();
        await using var registration = gentle.Register(stopped.SetResult);
        await stopped.Task;
        return new Outcome { Status = "cancelled", Executor = "sql/test" };
    }
}
