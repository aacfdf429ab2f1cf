using System.Text.Json;
using Google.Protobuf;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Restatements;

/// <summary>What differs between a number as reported and as restated; pure.</summary>
internal static class RestatedDifference
{
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    /// <summary>Null where one of the runs did not keep all of its points: a difference between samples would say nothing.</summary>
    public static IReadOnlyList<RestatedPoint>? Between(PointsRow? reported, PointsRow? restated)
    {
        if (Points(reported) is not { } before || Points(restated) is not { } after)
            return null;
        return [.. before.Keys.Union(after.Keys).Order(StringComparer.Ordinal).Select(key => Pair(before.GetValueOrDefault(key), after.GetValueOrDefault(key))).OfType<RestatedPoint>()];
    }

    private static RestatedPoint? Pair(DataPoint? before, DataPoint? after)
    {
        if (before is not null && after is not null && before.HasValue == after.HasValue && before.Value.Equals(after.Value))
            return null;
        var either = (after ?? before)!;
        var point = new RestatedPoint { Period = either.Period, Metric = either.Metric, Dimensions = { either.Dimensions } };
        if (before is { HasValue: true })
            point.Reported = before.Value;
        if (after is { HasValue: true })
            point.Restated = after.Value;
        return point;
    }

    private static Dictionary<string, DataPoint>? Points(PointsRow? row)
    {
        if (row?.Points is not { } text)
            return null;
        using var document = JsonDocument.Parse(text);
        var points = document.RootElement.EnumerateArray().Select(point => Parser.Parse<DataPoint>(point.GetRawText())).ToList();
        return points.Count == row.DataPoints ? points.ToDictionary(Key) : null;
    }

    // In order of the periods.
    private static string Key(DataPoint point) =>
        JsonSerializer.Serialize(new[] { point.Period, point.Metric }.Concat(point.Dimensions.OrderBy(d => d.Key, StringComparer.Ordinal).SelectMany(d => new[] { d.Key, d.Value })));
}
