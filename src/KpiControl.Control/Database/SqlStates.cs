using Npgsql;

namespace KpiControl.Control.Database;

/// <summary>Which database errors are outages that pass.</summary>
internal static class SqlStates
{
    public static bool IsOutage(Exception error) => error switch
    {
        PostgresException e => e.IsTransient || e.SqlState.StartsWith("57P", StringComparison.Ordinal)
            || e.SqlState.StartsWith("53", StringComparison.Ordinal) || e.SqlState == PostgresErrorCodes.ReadOnlySqlTransaction
            // While an operator puts a backup in its place, the database takes no connections, and for a moment is not there.
            || e.SqlState is PostgresErrorCodes.ObjectNotInPrerequisiteState or PostgresErrorCodes.InvalidCatalogName,
        NpgsqlException => true,
        _ => false,
    };
}
