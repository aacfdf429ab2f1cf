using Npgsql;

namespace KpiControl.Control.Database;

/// <summary>Which database errors are outages that pass.</summary>
internal static class SqlStates
{
    public static bool IsOutage(Exception error) => error switch
    {
        PostgresException e => e.IsTransient || e.SqlState.StartsWith("57P", StringComparison.Ordinal)
            || e.SqlState.StartsWith("53", StringComparison.Ordinal) || e.SqlState == PostgresErrorCodes.ReadOnlySqlTransaction,
        NpgsqlException => true,
        _ => false,
    };
}
