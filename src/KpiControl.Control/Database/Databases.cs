using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KpiControl.Control.Database;

/// <summary>The pools of one node: what people ask for, what the scheduler does, and its hot path and heartbeats apart.</summary>
internal sealed class Databases : IAsyncDisposable
{
    /// <summary>
    /// The hot path's plans are pinned: with small or freshly made tables the planner otherwise picks one that locks
    /// out of order or reads a whole index per row, and keeps it (measured: 1.6–3.3 times slower).
    /// </summary>
    private const string PinnedPlans =
        "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c enable_bitmapscan=off";

    static Databases() => DefaultTypeMap.MatchNamesWithUnderscores = true;

    public Databases(IOptions<DatabaseOptions> options)
    {
        var o = options.Value;
        // Behind a pooler the session is not this connection's to reset; nothing of a caller outlives its transaction. The
        // scheduler's statements leave nothing in it (the one that listens keeps its connection to its end), and resetting it cost
        // as much as the shortest of them.
        Requests = Build(o.Requests, "kpi-requests", o.PoolSize, pooler: o.RequestsThroughPooler, keepsSession: o.RequestsThroughPooler);
        Scheduler = Build(o.Scheduler, "kpi-scheduler", o.PoolSize);
        Hot = Build(o.Scheduler, "kpi-hot", o.PoolSize, PinnedPlans);
        Heartbeat = Build(o.Scheduler, "kpi-heartbeat", 2);
    }

    /// <summary>Under the role of requests.</summary>
    public NpgsqlDataSource Requests { get; }

    /// <summary>Under the scheduler's role: scans, sweeps, sessions.</summary>
    public NpgsqlDataSource Scheduler { get; }

    /// <summary>Under the scheduler's role, plans pinned: due scan, grant, complete, wake.</summary>
    public NpgsqlDataSource Hot { get; }

    /// <summary>Of its own, so that load cannot expire healthy leases.</summary>
    public NpgsqlDataSource Heartbeat { get; }

    public async ValueTask DisposeAsync()
    {
        foreach (var pool in new[] { Requests, Scheduler, Hot, Heartbeat })
            await pool.DisposeAsync();
    }

    private static NpgsqlDataSource Build(string connectionString, string name, int size, string options = "", bool pooler = false, bool keepsSession = true)
    {
        // By its name, and not by the address and user of the connection string, a pool is told in metrics.
        var builder = new NpgsqlDataSourceBuilder(connectionString) { Name = name };
        builder.ConnectionStringBuilder.ApplicationName = name;
        builder.ConnectionStringBuilder.MaxPoolSize = size;
        // More than a pool has statements: what is pushed out is planned anew, which costs some of them ten times their execution.
        builder.ConnectionStringBuilder.MaxAutoPrepare = pooler ? 0 : 200;
        builder.ConnectionStringBuilder.AutoPrepareMinUsages = 2;
        builder.ConnectionStringBuilder.NoResetOnClose = keepsSession;
        if (options.Length > 0)
            builder.ConnectionStringBuilder.Options = string.Join(' ', builder.ConnectionStringBuilder.Options, options).Trim();
        return builder.Build();
    }
}
