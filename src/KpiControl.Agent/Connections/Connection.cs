using KpiControl.Agent.Secrets;
using KpiControl.Jobs.Runs;
using Npgsql;

namespace KpiControl.Agent.Connections;

internal enum Driver { PostgreSql, DuckDb, Http }

/// <summary>One of the agent's connections, as its connection file says it. Holds references, never secrets.</summary>
/// <remarks>The fields are described in <c>docs/connections.md</c>.</remarks>
internal sealed record Connection
{
    public required string ConnId { get; init; }
    public required Driver Driver { get; init; }
    /// <summary><c>postgresql://host:port/database</c>, the path of a DuckDB file, or the base URL of a KPI service.</summary>
    public required string Endpoint { get; init; }
    public string? User { get; init; }
    public SecretReference? Credential { get; init; }
    /// <summary>Most data points that a run reports to the control plane; 0: data stays in the region.</summary>
    public int ReportPoints { get; init; }
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);
    /// <summary>Most bytes of a KPI service's answer.</summary>
    public long MaxResponseBytes { get; init; } = 16 * 1024 * 1024;
    /// <summary>Whether a run records rows and a hash of each GDP table that it read; costs a scan of each.</summary>
    public bool FingerprintSources { get; init; }
    /// <summary>The one directory whose files may be read: by the stage ingestion, and on DuckDB by any SQL.</summary>
    public string? DataDirectory { get; init; }
    /// <summary>DuckDB: SQL that makes the views, run when the file is opened.</summary>
    public string? InitScript { get; init; }
    /// <summary>PEM of the authority that signed the server's certificate; absent: the system's authorities.</summary>
    public string? RootCertificate { get; init; }

    /// <summary>PostgreSQL: how the server is verified; null: <c>prefer</c> on loopback without a root certificate, else <c>verify-full</c>.</summary>
    public SslMode? SslMode { get; init; }

    /// <summary>As told to the control plane in Hello.</summary>
    public string Executor => Driver is Driver.Http ? "http" : "sql";

    /// <summary>The stages that it can execute, as told to the control plane in Hello.</summary>
    public IReadOnlyList<string> Stages => Driver is Driver.Http ? [RunStages.Kpi] : DataDirectory is null ? [RunStages.Gdp, RunStages.Kpi] : RunStages.All;
}
