using System.Data.Common;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>Runs one statement with positional parameters on either engine.</summary>
internal static class Statements
{
    public static async Task<int> ExecuteAsync(this DbConnection connection, IWarehouse warehouse, string sql, IReadOnlyList<object> parameters, CancellationToken token)
    {
        await using var command = connection.Command(warehouse, sql, parameters);
        return await command.ExecuteNonQueryAsync(token);
    }

    public static async Task<object?> ScalarAsync(this DbConnection connection, IWarehouse warehouse, string sql, IReadOnlyList<object> parameters, CancellationToken token)
    {
        await using var command = connection.Command(warehouse, sql, parameters);
        return await command.ExecuteScalarAsync(token);
    }

    public static DbCommand Command(this DbConnection connection, IWarehouse warehouse, string sql, IReadOnlyList<object> parameters)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var value in parameters)
            command.Parameters.Add(warehouse.Parameter(value));
        return command;
    }
}
