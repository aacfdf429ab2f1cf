using Npgsql;
using NpgsqlTypes;

namespace KpiControl.Control.Leases;

/// <summary>Rows as one array a column, for <c>unnest</c>: one round trip and one plan whatever their number.</summary>
internal static class Columns
{
    public static void Add<TRow, TValue>(this NpgsqlCommand command, IReadOnlyList<TRow> rows, NpgsqlDbType type, Func<TRow, TValue> value)
    {
        var column = new TValue[rows.Count];
        for (var i = 0; i < column.Length; i++)
            column[i] = value(rows[i]);
        command.Parameters.Add(new NpgsqlParameter { Value = column, NpgsqlDbType = NpgsqlDbType.Array | type });
    }

    public static void AddValue(this NpgsqlCommand command, object value) => command.Parameters.Add(new NpgsqlParameter { Value = value });
}
