using System.Globalization;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Tests.Executors;

/// <summary>Holds points against a series of <see cref="Figures"/>: the same rows exactly, each value and extension within 1e-9.</summary>
internal sealed record Expected(IReadOnlyDictionary<(DateOnly Period, string Dimension), double> Series, string Grain, string? Dimension = null)
{
    public void Check(IReadOnlyList<DataPoint> points, DateOnly? from, DateOnly to, params string[] extensions)
    {
        var wanted = Series.Keys.Where(key => (from is null || key.Period >= from) && key.Period < to).ToHashSet();
        var found = points.ToDictionary(KeyOf);
        Assert.Equal([.. wanted.Order()], (IEnumerable<(DateOnly, string)>)[.. found.Keys.Order()]);
        Assert.NotEmpty(found);
        foreach (var (key, point) in found)
        {
            Close(Series[key], point.HasValue ? point.Value : null, key);
            Assert.Equal(extensions.Order(), point.Extensions.Keys.Order());
            foreach (var name in extensions)
                Close(Change(key, name), point.Extensions[name].KindCase == Google.Protobuf.WellKnownTypes.Value.KindOneofCase.NumberValue ? point.Extensions[name].NumberValue : null, (key, name));
        }
    }

    private double? Change((DateOnly Period, string Dimension) key, string name)
    {
        var before = name switch { "WoW" => key.Period.AddDays(-7), "MoM" => key.Period.AddMonths(-1), _ => key.Period.AddYears(-1) };
        return Series.TryGetValue((before, key.Dimension), out var was) && was != 0 ? Series[key] / was - 1 : null;
    }

    private (DateOnly, string) KeyOf(DataPoint point)
    {
        Assert.Equal(Dimension is null ? [] : [Dimension], point.Dimensions.Keys);
        var format = Grain switch { "year" => "yyyy", "month" => "yyyy-MM", _ => "yyyy-MM-dd" };
        return (DateOnly.ParseExact(point.Period, format, CultureInfo.InvariantCulture), Dimension is null ? "" : point.Dimensions[Dimension]);
    }

    private static void Close(double? expected, double? actual, object where)
    {
        if (expected is null || actual is null)
            Assert.True(expected == actual, $"{where}: expected {expected?.ToString(CultureInfo.InvariantCulture) ?? "null"}, found {actual?.ToString(CultureInfo.InvariantCulture) ?? "null"}");
        else
            Assert.True(Math.Abs(actual.Value - expected.Value) <= 1e-9 * Math.Max(1, Math.Abs(expected.Value)), $"{where}: expected {expected:R}, found {actual:R}");
    }
}
