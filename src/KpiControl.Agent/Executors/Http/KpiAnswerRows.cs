using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Jobs.Calls;
using KpiControl.Jobs.Contracts;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Executors.Http;

/// <summary>
/// Rows of an answer as data points. A row has a <c>value</c>, of the metric that its <c>metric</c> names (absent: the
/// contract's first), or a member for each of the contract's metrics.
/// </summary>
internal sealed class KpiAnswerRows(KpiCallRequest call, MetricContract contract)
{
    private readonly string[] metrics = [.. contract.Metrics.Select(one => one.Name)];

    /// <exception cref="InvalidOperationException">The row is of another shape.</exception>
    public IEnumerable<DataPoint> Points(JsonElement row)
    {
        if (!row.TryGetProperty("value", out var value))
            return metrics.Select(metric => Point(row, metric, row.GetProperty(metric)));
        var named = row.TryGetProperty("metric", out var name) ? name.GetString() ?? "" : metrics[0];
        return [Point(row, named, value)];
    }

    /// <summary>Null where what was answered is of the contract's metrics, all of them.</summary>
    public string? Problem(IReadOnlyList<DataPoint> points)
    {
        var answered = points.Select(one => one.Metric).ToHashSet();
        return answered.Except(metrics).FirstOrDefault() is { } unknown ? $"the KPI service answered with a metric {unknown} that the contract has not"
            : points.Count > 0 && metrics.FirstOrDefault(one => !answered.Contains(one)) is { } missing ? $"the KPI service answered without the metric {missing}"
            : null;
    }

    private DataPoint Point(JsonElement row, string metric, JsonElement value)
    {
        var point = new DataPoint { Period = row.GetProperty("period").GetString(), Metric = metric };
        foreach (var name in call.Dimensions)
            point.Dimensions[name] = row.GetProperty(name).ToString();
        if (value.ValueKind != JsonValueKind.Null)
            point.Value = value.GetDouble();
        foreach (var other in row.EnumerateObject().Where(one => !IsTaken(one.Name)))
            if (ExtensionOf(other.Name, metric) is { } extension)
                point.Extensions[extension] = other.Value.ValueKind switch
                {
                    JsonValueKind.Null => Value.ForNull(),
                    JsonValueKind.Number => Value.ForNumber(other.Value.GetDouble()),
                    _ => Value.ForString(other.Value.ToString()),
                };
        return point;
    }

    private bool IsTaken(string name) => name is "period" or "value" or "metric" || call.Dimensions.Contains(name) || metrics.Contains(name);

    // `sales_MoM` in a row of several metrics is of `sales` alone; null for another metric's.
    private string? ExtensionOf(string name, string metric)
    {
        var owner = metrics.Where(one => name.StartsWith(one + "_", StringComparison.Ordinal)).MaxBy(one => one.Length);
        return owner is null || metrics.Length == 1 ? name : owner == metric ? name[(owner.Length + 1)..] : null;
    }
}
