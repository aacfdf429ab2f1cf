using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Runs;

/// <summary>A run's data points: period, dimensions, metric, value, extensions.</summary>
internal static class ValueTable
{
    public static void Print(Surroundings world, IReadOnlyList<DataPoint> points)
    {
        var dimensions = points.SelectMany(point => point.Dimensions.Keys).Distinct().Order(StringComparer.Ordinal).ToArray();
        var extensions = points.SelectMany(point => point.Extensions.Keys).Distinct().ToArray();
        var table = new TextTable(["PERIOD", .. dimensions.Select(name => name.ToUpperInvariant()), "METRIC", "VALUE", .. extensions]);
        table.Numeric([.. Enumerable.Range(dimensions.Length + 2, extensions.Length + 1)]);
        foreach (var point in points)
            table.Row([
                point.Period,
                .. dimensions.Select(name => (Cell)(point.Dimensions.TryGetValue(name, out var value) ? value : "")),
                point.Metric,
                point.HasValue ? Number(point.Value) : "-",
                .. extensions.Select(name => (Cell)(point.Extensions.TryGetValue(name, out var value) ? Text(value) : "")),
            ]);
        table.WriteTo(world);
    }

    /// <summary>Six decimals for reading; JSON has them all.</summary>
    public static string Number(double value) => Math.Abs(value) is 0 or (>= 1e-4 and < 1e15)
        ? value.ToString("0.######", CultureInfo.InvariantCulture)
        : value.ToString("G6", CultureInfo.InvariantCulture);

    private static string Text(Value value) => value.KindCase switch
    {
        Value.KindOneofCase.NumberValue => Number(value.NumberValue),
        Value.KindOneofCase.StringValue => value.StringValue,
        Value.KindOneofCase.BoolValue => value.BoolValue ? "true" : "false",
        Value.KindOneofCase.NullValue or Value.KindOneofCase.None => "-",
        _ => ProtoJson.Format(value, indented: false),
    };
}
