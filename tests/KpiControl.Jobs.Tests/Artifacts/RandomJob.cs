using System.Text.Json.Nodes;

namespace KpiControl.Jobs.Tests.Artifacts;

/// <summary>Jobs at random that fit the schema; most also mean something.</summary>
internal static class RandomJob
{
    private static readonly string[] Odd = ["a", "yes", "null", "1.0", "0x1F", "09:00", "# no comment", "- dash", "a: b", "'q'", "\"q\"", "\\", "é😀", " lead", "trail ", "two\nlines", "tab\there", "", "~", "*a", "&a", "!t", "{", "]", ">", "|", "%", "@x", "`", "\r\n"];

    public static JsonObject Make(Random r)
    {
        var job = new JsonObject
        {
            ["job_id"] = "job_" + r.Next(100),
            ["tenant"] = "acme",
            ["kpi_id"] = "CFO-EF-" + r.Next(100),
            ["contract_version"] = $"{r.Next(3)}.{r.Next(20)}.0",
            ["schedule"] = Some(r, new JsonObject { ["type"] = "cron", ["expression"] = "0 2 * * *" },
                ("timezone", () => Pick(r, "UTC", "Europe/Berlin")), ("catchup", () => Pick(r, "none", "latest", "all")),
                ("catchup_window", () => Duration(r)), ("overlap", () => Pick(r, "skip", "queue_one"))),
        };
        return Some(r, job,
            ("description", () => Text(r)), ("labels", () => Many(r, () => "label" + r.Next(9))), ("criticality", () => Pick(r, "low", "high")),
            ("owners", () => new JsonObject { ["business"] = "ann", ["technical"] = "bo" }), ("dependencies", () => Dependencies(r)),
            ("sla", () => Some(r, [], ("freshness", () => Target(r)), ("latency", () => Target(r)), ("availability", () => "09:00"), ("on_breach", () => "alert"))),
            ("retry", () => Some(r, [], ("max_retries", () => r.Next(4)), ("backoff", () => Pick(r, "fixed", "exponential")), ("initial", () => Duration(r)), ("max", () => Duration(r)))),
            ("timeout", () => Duration(r)), ("alerts", () => Many(r, () => Alert(r))),
            ("run", () => Some(r, [], ("conn_id", () => Pick(r, "default", "dwh")), ("priority", () => r.Next(1, 6)), ("agent_labels", () => Many(r, () => "gpu" + r.Next(3))))),
            ("runtime", () => Runtime(r)), ("x-note", () => Anything(r, 3)), ("x-2", () => Anything(r, 1)));
    }

    public static string Duration(Random r) => Pick(r, "30s", "15m", "24h", "1d", "P1D", "PT24H", "1440m", "90m", "1h30m", "P1W", "7d", "PT900S").GetValue<string>();

    private static JsonNode Text(Random r) => Odd[r.Next(Odd.Length)] + Odd[r.Next(Odd.Length)];

    private static JsonNode Target(Random r) => r.Next(3) switch
    {
        0 => Duration(r),
        1 => new JsonObject { ["target"] = Duration(r) },
        _ => new JsonObject { ["target"] = Duration(r), ["grace"] = Duration(r) },
    };

    private static JsonObject Dependencies(Random r) => Some(r, [],
        ("gdp", () => Many(r, () => "GDP_" + r.Next(5))), ("signals", () => Many(r, () => "signal." + r.Next(5))),
        ("kpis", () => Many(r, () => new JsonObject { ["kpi_id"] = "K-" + r.Next(3), ["contract_version"] = "1.0.0" })),
        ("business_date", () => Pick(r, "previous", "current")), ("max_age", () => new JsonObject { ["GDP_1"] = Duration(r) }));

    private static JsonNode Alert(Random r) => Some(r, new JsonObject { ["channel"] = "slack:#" + r.Next(3), ["severity"] = Pick(r, "low", "high") },
        ("on", () => Many(r, () => Pick(r, "failure", "recovered", "sla_breach", "skipped"))));

    private static JsonObject Runtime(Random r) => Some(r, [],
        ("scd_view", () => Pick(r, "as_reported", "restated")), ("dimensions", () => Many(r, () => "d" + r.Next(9))),
        ("time", () => new JsonObject { ["grain"] = "month", ["range"] = new JsonObject { ["type"] = "relative", ["last_n"] = r.Next(1, 9) } }),
        ("extensions", () => new JsonObject { ["time"] = Many(r, () => Pick(r, "MoM", "YoY")) }),
        ("filters", () => Many(r, () => new JsonObject { ["field"] = "f", ["op"] = "=", ["value"] = Text(r) })));

    private static JsonNode? Anything(Random r, int depth) => r.Next(depth == 0 ? 5 : 7) switch
    {
        0 => null,
        1 => r.Next(2) == 0,
        2 => Text(r),
        3 => r.Next(-1000, 1000),
        4 => double.Parse($"{r.NextDouble():F17}e{r.Next(-30, 30)}", System.Globalization.CultureInfo.InvariantCulture),
        5 => new JsonArray([.. Enumerable.Range(0, r.Next(4)).Select(_ => Anything(r, depth - 1))]),
        _ => new JsonObject(Enumerable.Range(0, r.Next(4)).Select(i => KeyValuePair.Create(Odd[r.Next(Odd.Length)] + i, Anything(r, depth - 1)))),
    };

    private static JsonNode Pick(Random r, params string[] words) => words[r.Next(words.Length)];

    private static JsonArray Many(Random r, Func<JsonNode> item) => new([.. Enumerable.Range(0, r.Next(4)).Select(_ => item())]);

    private static JsonObject Some(Random r, JsonObject members, params (string Name, Func<JsonNode?> Value)[] more)
    {
        foreach (var (name, value) in more)
            if (r.Next(2) == 0) members[name] = value();
        return members;
    }
}
