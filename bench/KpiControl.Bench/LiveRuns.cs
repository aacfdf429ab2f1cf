using Dapper;
using KpiControl.Testing;

namespace KpiControl.Bench;

/// <summary>Jobs that come due one after the other while something else goes on.</summary>
internal sealed class LiveRuns
{
    private readonly TestDatabase _database;
    private readonly long _first;
    private readonly int _count;

    private LiveRuns(TestDatabase database, long first, int count) => (_database, _first, _count) = (database, first, count);

    public static async Task<LiveRuns> BindAsync(TestDatabase database, int count) =>
        new(database, await new BindingSeed(database).BindAsync(BindingSeed.Job("live", "0 0 1 1 *"), "now() + interval '1 year'", count), count);

    /// <summary>Each comes due once, evenly, from a second from now on.</summary>
    public async Task ComeDueAsync(TimeSpan within)
    {
        await using var connection = await _database.OpenAsync();
        await connection.ExecuteAsync("""
            UPDATE kpi_job_runtime SET next_run_at = clock_timestamp() + interval '1 second' + (binding_id - @first) * @step WHERE binding_id BETWEEN @first AND @last;
            SELECT pg_notify('kpi', 'lane ' || lane) FROM kpi_lane
            """, new { first = _first, last = _first + _count - 1, step = within / _count });
    }

    /// <summary>Waits until all of them ran; milliseconds from due to agent of each.</summary>
    public async Task<List<double>> DelaysAsync(BenchAgent agent)
    {
        var delays = new Dictionary<long, double>();
        while (delays.Count < _count)
        {
            foreach (var call in agent.Executor.TakeCalls().Where(call => call.Binding >= _first && call.Binding < _first + _count))
                delays.TryAdd(call.Binding, call.Delay);
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
        return [.. delays.Values];
    }
}
