using System.Data.Common;
using System.Globalization;
using System.Numerics;
using KpiControl.Jobs.Calls;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>One row of an expression: a period's first day, the dimensions in the call's order, the metrics in the contract's.</summary>
internal sealed record SeriesRow(DateOnly Period, IReadOnlyList<string> Dimensions, IReadOnlyList<double?> Metrics);

/// <summary>Reads what an expression returned and holds it to its contract.</summary>
internal static class SeriesRows
{
    public static async Task<(IReadOnlyList<SeriesRow> Rows, string Problem)> ReadAsync(DbDataReader reader, SqlPlan plan, CancellationToken token)
    {
        string[] metrics = [.. plan.Contract.Metrics.Select(one => one.Name)];
        string[] wanted = ["period", .. plan.Dimensions, .. metrics];
        string[] there = [.. Enumerable.Range(0, reader.FieldCount).Select(reader.GetName)];
        if (wanted.Except(there).FirstOrDefault() is { } missing)
            return ([], $"the expression returns no column `{missing}`");
        if (there.Except(wanted).FirstOrDefault() is { } extra)
            return ([], $"the expression returns a column `{extra}` that is no dimension asked for and no metric");
        var rows = new List<SeriesRow>();
        while (await reader.ReadAsync(token))
        {
            if (PeriodOf(reader.GetValue(reader.GetOrdinal("period"))) is not { } period || Periods.StartOf(plan.Grain, period) != period)
                return ([], $"the expression returns a period that is not the first day of a {plan.Contract.Grain}");
            rows.Add(new SeriesRow(period, [.. plan.Dimensions.Select(name => TextOf(reader.GetValue(reader.GetOrdinal(name))))],
                [.. metrics.Select(name => NumberOf(reader.GetValue(reader.GetOrdinal(name))))]));
        }
        return (rows, Fault(rows));
    }

    private static string Fault(List<SeriesRow> rows) =>
        rows.Any(row => row.Metrics.Any(value => value is { } number && !double.IsFinite(number))) ? "the expression returns a value that is no finite number"
        : rows.DistinctBy(row => (row.Period, string.Join('\u001f', row.Dimensions))).Count() < rows.Count ? "the expression returns two rows of one period and dimension"
        : "";

    private static DateOnly? PeriodOf(object value) => value switch
    {
        DateOnly day => day,
        DateTime instant when instant.TimeOfDay == TimeSpan.Zero => DateOnly.FromDateTime(instant),
        _ => null,
    };

    private static double? NumberOf(object value) => value switch
    {
        DBNull => null,
        BigInteger whole => (double)whole,
        IConvertible number => number.ToDouble(CultureInfo.InvariantCulture),
        _ => double.NaN,
    };

    private static string TextOf(object value) => value switch
    {
        DBNull => "",
        bool yes => yes ? "true" : "false",
        DateOnly day => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        DateTime instant => instant.ToString("yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture),
        IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };
}
