using Npgsql;
using NpgsqlTypes;

namespace KpiControl.Control.Leases;

/// <summary>Rows as one array a column, for <c>unnest</c>: one round trip and one plan whatever their number.</summary>
internal static class Columns
{
    /// <remarks>
    /// A column without a single value goes as an empty array, which <c>unnest</c> fills up with NULLs: of an outcome's
    /// columns most are empty in most batches, and each element costs both sides. The first column must have values.
    /// </remarks>
    public static void Add<TRow, TValue>(this NpgsqlCommand command, IReadOnlyList<TRow> rows, NpgsqlDbType type, Func<TRow, TValue> value)
    {
        var column = new TValue[rows.Count];
        var any = false;
        for (var i = 0; i < column.Length; i++)
            any |= (column[i] = value(rows[i])) is not null;
        command.Parameters.Add(new NpgsqlParameter<TValue[]> { TypedValue = any ? column : [], NpgsqlDbType = NpgsqlDbType.Array | type });
    }

    /// <summary>The rows' numbers, by which a statement's answer is matched with what it was asked.</summary>
    public static void AddOrdinals(this NpgsqlCommand command, int count)
    {
        var ordinals = new int[count];
        for (var i = 0; i < count; i++)
            ordinals[i] = i;
        command.Parameters.Add(new NpgsqlParameter<int[]> { TypedValue = ordinals });
    }

    public static void AddValue(this NpgsqlCommand command, object value) => command.Parameters.Add(new NpgsqlParameter { Value = value });
}
