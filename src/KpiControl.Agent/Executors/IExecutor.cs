using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Executors;

/// <summary>
/// Executes one KPI Call on one connection. Two real ones exist: <c>sql</c> (PostgreSQL, DuckDB) and <c>http</c>.
/// </summary>
/// <remarks>
/// An executor never throws for what a call can come to (a rule that fails, an endpoint that refuses, a timeout):
/// those are outcomes, with the category and code of the platform's table. It throws OperationCanceledException only
/// for a token of its caller.
/// </remarks>
internal interface IExecutor
{
    /// <param name="lease">What to execute, complete: call, contract, fence, slot.</param>
    /// <param name="gentle">Stop when convenient: finish or roll back the statement, then return <c>cancelled</c>.</param>
    /// <param name="force">Stop now: abort the connection.</param>
    Task<Outcome> ExecuteAsync(LeasedCall lease, CancellationToken gentle, CancellationToken force);
}

/// <summary>A lease with what the executor needs resolved: the contract's text is there even if control sent it earlier.</summary>
/// <param name="Lease">As received.</param>
/// <param name="ContractJson">The metric contract's canonical JSON.</param>
/// <param name="Timeout">The lease's, or what this agent gives one that names none.</param>
internal sealed record LeasedCall(Lease Lease, string ContractJson, TimeSpan Timeout);

/// <summary>What an attempt came to, in the words of the platform; the agent adds times, fence and build.</summary>
internal sealed record Outcome
{
    /// <summary><c>success, partial, failed, suppressed, skipped</c> or <c>cancelled</c>.</summary>
    public required string Status { get; init; }
    public string ErrorCategory { get; init; } = "";
    public string ErrorCode { get; init; } = "";
    /// <summary>Plain words, redacted: no secret, no connection string.</summary>
    public string ErrorMessage { get; init; } = "";
    public TimeSpan? RetryAfter { get; init; }
    public long RowsProcessed { get; init; }
    public int DataPoints { get; init; }
    /// <summary>The bounded sample; empty unless the connection reports points.</summary>
    public IReadOnlyList<DataPoint> Points { get; init; } = [];
    public IReadOnlyList<Validation> Validations { get; init; } = [];
    public Lineage? Lineage { get; init; }
    public IReadOnlyList<SecretUse> Secrets { get; init; } = [];
    public IReadOnlyList<string> Warnings { get; init; } = [];
    public IReadOnlyList<StageEvent> Stages { get; init; } = [];
    /// <summary><c>sql/postgresql</c>, <c>sql/duckdb</c> or <c>http</c>.</summary>
    public required string Executor { get; init; }
}
