using System.Data.Common;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>An engine that KPIs are computed on: PostgreSQL, or DuckDB in process.</summary>
internal interface IWarehouse : IAsyncDisposable
{
    /// <summary><c>sql/postgresql</c> or <c>sql/duckdb</c>.</summary>
    string Executor { get; }

    /// <summary>The engine's type for JSON documents that are compared.</summary>
    string JsonType { get; }

    /// <summary>An expression: the sorted member names of column <c>dimensions</c>, joined by commas.</summary>
    string DimensionKeys { get; }

    /// <summary>A statement that begins a read-only transaction on one snapshot.</summary>
    string BeginSnapshot { get; }

    /// <summary>A statement, run first in the transaction that makes the tables, so that two agents do not race.</summary>
    string LockSchema { get; }

    /// <summary>The engine's type for exact numbers of any size that a contract means by DECIMAL.</summary>
    string DecimalType { get; }

    /// <summary>A statement, run first in a transaction that replaces a table's rows: whoever replaces them too comes after it.</summary>
    string LockTable(string table);

    /// <summary>A statement, run in a transaction before it looks which revision of a series' points is the highest: of several runs at once each sees what the one before it wrote. Takes the series' name.</summary>
    string LockSeries { get; }

    /// <summary>Puts a CSV file with a header line into columns of text, as it stands; an empty cell is null, a quoted one is not.</summary>
    /// <param name="table">Quoted.</param>
    /// <returns>How many rows.</returns>
    Task<long> CopyAsync(DbConnection connection, string table, IReadOnlyList<string> columns, string path, CancellationToken token);

    /// <summary>A statement that returns a table's rows and a hash of them that does not depend on their order.</summary>
    string Fingerprint(string table);

    Task<DbConnection> OpenAsync(string? password, CancellationToken token);

    /// <summary>Runs a transaction that writes; on an engine that knows one writer, after those before it.</summary>
    Task<T> WriteAsync<T>(Func<Task<T>> transaction, CancellationToken token);

    DbParameter Parameter(object value);

    /// <summary>An expression: whether the members of one JSON object stand, with these values, in another.</summary>
    string Holds(string whole, string part);

    /// <summary>An expression: one JSON object with the members of another put over its own.</summary>
    string Merged(string under, string over);

    /// <summary>What an engine's exception means for the run. Its words hold no row of data.</summary>
    Failure Explain(DbException error);
}
