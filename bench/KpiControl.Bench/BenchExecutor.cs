using KpiControl.Agent.Executors;

namespace KpiControl.Bench;

/// <param name="Delay">Milliseconds from the slot's instant to its lease's execution; one machine, one clock.</param>
internal readonly record struct BenchCall(long Binding, DateTimeOffset At, double Delay);

/// <summary>Does nothing, at once; notes when each call came.</summary>
internal sealed class BenchExecutor : IExecutor
{
    private readonly Lock _gate = new();
    private readonly List<BenchCall> _calls = [];

    public int Executed
    {
        get { lock (_gate) return _calls.Count; }
    }

    /// <summary>Begins to count anew.</summary>
    public List<BenchCall> TakeCalls()
    {
        lock (_gate)
        {
            var taken = _calls.ToList();
            _calls.Clear();
            return taken;
        }
    }

    /// <summary>Of each call; begins to count anew.</summary>
    public List<double> TakeDelays() => [.. TakeCalls().Select(call => call.Delay)];

    public Task<Outcome> ExecuteAsync(LeasedCall lease, CancellationToken gentle, CancellationToken force)
    {
        var now = TimeProvider.System.GetUtcNow();
        lock (_gate)
            _calls.Add(new BenchCall(lease.Lease.BindingId, now, (now - lease.Lease.ScheduledFor.ToDateTimeOffset()).TotalMilliseconds));
        return Task.FromResult(new Outcome { Status = "success", Executor = "bench", RowsProcessed = 1000, DataPoints = 12 });
    }
}
