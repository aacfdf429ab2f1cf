using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Jobs.Calls;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>One value with the time extensions that were computed for it, asked for or not.</summary>
internal sealed record SeriesPoint(
    DateOnly Period, IReadOnlyDictionary<string, string> Dimensions, string Metric, double? Value, IReadOnlyDictionary<string, double?> Extensions)
{
    public DataPoint ToProto(SqlPlan plan)
    {
        var point = new DataPoint { Period = Periods.Format(plan.Grain, Period), Metric = Metric };
        if (Value is { } value)
            point.Value = value;
        foreach (var (name, text) in Dimensions)
            point.Dimensions[name] = text;
        foreach (var extension in plan.Extensions)
            point.Extensions[extension.Name] = Extensions[extension.Name] is { } number ? Google.Protobuf.WellKnownTypes.Value.ForNumber(number) : Google.Protobuf.WellKnownTypes.Value.ForNull();
        return point;
    }

    public StoredPoint ToStored(SqlPlan plan) => new(
        Periods.Format(plan.Grain, Period),
        JsonSerializer.Serialize(new SortedDictionary<string, string>(Dimensions.ToDictionary(), StringComparer.Ordinal)),
        Metric, Value,
        JsonSerializer.Serialize(new SortedDictionary<string, double?>(plan.Extensions.ToDictionary(one => one.Name, one => Extensions[one.Name]), StringComparer.Ordinal)));
}

/// <summary>The points of the window asked for, made of the rows of a window that may be wider.</summary>
internal static class SeriesPoints
{
    public static IReadOnlyList<SeriesPoint> Of(SqlPlan plan, IReadOnlyList<SeriesRow> rows)
    {
        var byKey = rows.ToDictionary(row => (row.Period, Key(row)));
        string[] metrics = [.. plan.Contract.Metrics.Select(one => one.Name)];
        return [.. rows.Where(row => plan.Window.Contains(row.Period)).OrderBy(row => row.Period).ThenBy(Key, StringComparer.Ordinal)
            .SelectMany(row => metrics.Select((metric, index) => new SeriesPoint(row.Period, Named(plan, row), metric, row.Metrics[index],
                plan.ComputedExtensions.ToDictionary(one => one.Name, one => one.Compute(row.Period, ValueOf(row, index, byKey))))))];
    }

    private static Func<DateOnly, double?> ValueOf(SeriesRow row, int metric, Dictionary<(DateOnly, string), SeriesRow> rows) =>
        period => rows.TryGetValue((period, Key(row)), out var there) ? there.Metrics[metric] : null;

    private static Dictionary<string, string> Named(SqlPlan plan, SeriesRow row) =>
        plan.Dimensions.Select((name, index) => (name, row.Dimensions[index])).ToDictionary();

    private static string Key(SeriesRow row) => string.Join('\u001f', row.Dimensions);
}
