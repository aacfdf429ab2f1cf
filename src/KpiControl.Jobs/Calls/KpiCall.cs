using System.Globalization;
using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Jobs.Calls;

/// <summary>
/// The KPI Call of a job: rendered once for a definition and a contract, and completed for each occurrence by its
/// business date. Both executors take the same JSON, in this order and with every member present:
/// <c>kpi_id, contract_version, time { grain, calendar, range { type: absolute, from?, to } }, dimensions, filters,
/// extensions, scd_view, options { include_lineage, format }</c>.
/// </summary>
/// <remarks>
/// <c>range</c> is always absolute, in the grain's spelling (<see cref="Periods.Format"/>), both ends included, so that an
/// executor that knows no business date computes the same window at every try; <c>from</c> is absent for <em>every period
/// so far</em>. <c>dimensions</c> are resolved: the contract's key where the job names none.
/// </remarks>
public sealed class KpiCall
{
    public const string RestatedView = "restated";

    private const string RangeMark = "\"range\":null";

    private readonly string _grain, _before, _after;
    private readonly int? _lastPeriods;
    // Of the last date asked for: the runs of one call mostly share theirs.
    private Tuple<DateOnly, string>? _last;

    private KpiCall(string grain, int? lastPeriods, string json)
    {
        (_grain, _lastPeriods) = (grain, lastPeriods);
        var mark = json.IndexOf(RangeMark, StringComparison.Ordinal);
        (_before, _after) = (json[..mark], json[(mark + RangeMark.Length)..]);
    }

    public static KpiCall Of(JobArtifact job, MetricContract contract)
    {
        var dimensions = job.Runtime.Dimensions.Count > 0 ? job.Runtime.Dimensions : contract.KeyDimensions;
        var call = new JsonObject
        {
            ["kpi_id"] = job.KpiId,
            ["contract_version"] = job.ContractVersion,
            // The mark stands before anything that an author wrote, so the first one found is ours.
            ["time"] = new JsonObject { ["grain"] = contract.Grain, ["calendar"] = "gregorian", ["range"] = null },
            ["dimensions"] = Texts(dimensions),
            ["filters"] = new JsonArray([.. job.Runtime.Filters.Select(Filter)]),
            ["extensions"] = new JsonObject(job.Runtime.Extensions.Where(e => e.Value.Count > 0)
                .Select(e => KeyValuePair.Create(e.Key, (JsonNode?)Texts(e.Value)))),
            ["scd_view"] = job.Runtime.ScdView,
            ["options"] = new JsonObject { ["include_lineage"] = true, ["format"] = "json" },
        };
        return new KpiCall(contract.Grain, LastPeriods(job), call.ToJsonString());
    }

    /// <summary>The same call, for figures as they are now and not as they were first reported.</summary>
    public KpiCall Restated()
    {
        var call = JsonNode.Parse(_before + RangeMark + _after)!;
        call["scd_view"] = RestatedView;
        return new KpiCall(_grain, _lastPeriods, call.ToJsonString());
    }

    /// <summary>The complete call of an occurrence, as JSON text.</summary>
    public string For(DateOnly businessDate)
    {
        if (_last is { } last && last.Item1 == businessDate)
            return last.Item2;
        var json = Render(businessDate);
        _last = Tuple.Create(businessDate, json);
        return json;
    }

    private string Render(DateOnly businessDate)
    {
        var last = Periods.LastEnded(_grain, businessDate);
        var from = _lastPeriods is { } count ? $"\"from\":\"{Periods.Format(_grain, Periods.Add(_grain, last, 1 - count))}\"," : "";
        return $"{_before}\"range\":{{\"type\":\"absolute\",{from}\"to\":\"{Periods.Format(_grain, last)}\"}}{_after}";
    }

    private static int? LastPeriods(JobArtifact job) => job.Runtime.Time?["range"]?["last_n"] is { } count
        ? (int)double.Parse(count.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture)
        : null;

    private static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode?)JsonValue.Create(text))]);

    private static JsonObject Filter(JobFilter filter)
    {
        var json = new JsonObject { ["field"] = filter.Field, ["op"] = filter.Op };
        if (filter.Value is not null) json["value"] = filter.Value.DeepClone();
        return json;
    }
}
