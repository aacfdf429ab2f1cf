using KpiControl.Agent.Executors;

namespace KpiControl.Bench;

/// <summary>Does nothing, at once; notes how late each call came.</summary>
internal sealed class BenchExecutor : IExecutor
{
    private readonly Lock _gate = new();
    private readonly List<double> _delays = [];

    public int Executed
    {
        get { lock (_gate) return _delays.Count; }
    }

    /// <summary>Milliseconds from each slot's instant to its lease's execution; one machine, one clock. Begins to count anew.</summary>
    public List<double> TakeDelays()
    {
        lock (_gate)
        {
            var taken = _delays.ToList();
            _delays.Clear();
            return taken;
        }
    }

    public Task<Outcome> ExecuteAsync(LeasedCall lease, CancellationToken gentle, CancellationToken force)
    {
        var delay = (TimeProvider.System.GetUtcNow() - lease.Lease.ScheduledFor.ToDateTimeOffset()).TotalMilliseconds;
        lock (_gate)
            _delays.Add(delay);
        return Task.FromResult(new Outcome { Status = "success", Executor = "bench", RowsProcessed = 1000, DataPoints = 12 });
    }
}
