using System.Globalization;
using System.Text.Json.Nodes;

namespace KpiControl.Samples.KpiService;

/// <summary>A value by period and by the dimension's member, <c>""</c> without one.</summary>
internal sealed class Series() : SortedDictionary<(string Period, string Member), double>;

internal sealed record Computed(IReadOnlyList<JsonObject> Rows, IReadOnlyList<(string Name, string Version)> Tables);

/// <summary>The sample KPIs as plain loops over the files.</summary>
internal sealed class SampleKpis(string data)
{
    private const int LateFromMinutes = 15;
    private static readonly string[] Sectors =
    [
        "construction", "education_and_health_services", "financial_activities", "government", "information", "leisure_and_hospitality",
        "manufacturing", "mining_and_logging", "other_services", "professional_and_business_services", "trade_transportation_utilties",
    ];

    public Computed Compute(CallRequest call)
    {
        var tables = new Tables(data);
        var (grain, dimension, series) = call.KpiId switch
        {
            "CFO-EF-02" => ("month", "company_id", DaysSalesOutstanding(tables, call)),
            "COO-EN-01" => ("year", null, RenewableShare(tables)),
            "CHR-EM-01" => ("month", "sector", Jobs(tables)),
            "CHR-EM-02" => ("month", null, Diffusion(Jobs(tables))),
            "CHR-UN-01" => ("month", call.Dimensions.FirstOrDefault(), Unemployment(tables, call.Dimensions.Contains("industry"))),
            "COO-OT-01" => ("day", call.Dimensions.FirstOrDefault(), OnTime(tables, call)),
            "CHR-LM-01" => ("month", null, LabourMarket(Jobs(tables), Unemployment(tables, false))),
            _ => throw new Refusal(404, "INVALID_KPI_ID", $"no KPI {call.KpiId} here"),
        };
        if (call.Time?.Grain is { } asked && asked != grain)
            throw new Refusal(400, "SCHEMA_MISMATCH", $"{call.KpiId} has grain {grain}");
        return new Computed([.. series.Where(one => InRange(one.Key.Period, call.Time?.Range)).Select(one => Row(one.Key, dimension, series, call))], tables.Read);
    }

    // Periods of one grain are ordered as their texts are.
    private static bool InRange(string period, CallRange? range) =>
        (range?.From is null || string.CompareOrdinal(period, range.From) >= 0) && (range?.To is null || string.CompareOrdinal(period, range.To) <= 0);

    private static JsonObject Row((string Period, string Member) key, string? dimension, Series series, CallRequest call)
    {
        var row = new JsonObject { ["period"] = key.Period };
        if (dimension is not null)
            row[dimension] = key.Member;
        row["value"] = series[key];
        foreach (var name in call.Extensions.Values.SelectMany(names => names))
            row[name] = series.TryGetValue((Before(key.Period, name), key.Member), out var was) && was != 0 ? series[key] / was - 1 : null;
        return row;
    }

    private static string Before(string period, string extension)
    {
        var start = DateOnly.ParseExact(period.Length switch { 4 => period + "-01-01", 7 => period + "-01", _ => period }, "yyyy-MM-dd", CultureInfo.InvariantCulture);
        var before = extension switch
        {
            "MoM" => start.AddMonths(-1), "YoY" => start.AddYears(-1), "WoW" => start.AddDays(-7),
            _ => throw new Refusal(400, "SCHEMA_MISMATCH", $"no extension {extension} here"),
        };
        return before.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)[..period.Length];
    }

    private static Series DaysSalesOutstanding(Tables tables, CallRequest call)
    {
        var receivables = new Dictionary<(string, string), decimal>();
        foreach (var row in Current(tables.Rows("GDP_Receivables"), call, row => row("company_id") + row("month_end") + row("customer_id") + row("ledger_type")))
            Add(receivables, (row("month_end")[..7], row("company_id")), Number(row("open_amount")));
        var sales = new Dictionary<(string, string), decimal>();
        foreach (var row in Current(tables.Rows("GDP_Sales"), call, row => row("company_id") + row("invoice_id") + row("ledger_type")))
            if (row("sale_type") == "credit")
                Add(sales, (row("invoice_date")[..7], row("company_id")), Number(row("amount")));
        var found = new Series();
        foreach (var (key, amount) in receivables)
            found[key] = (double)amount / (double)sales[key] * DateTime.DaysInMonth(int.Parse(key.Item1[..4], CultureInfo.InvariantCulture), int.Parse(key.Item1[5..], CultureInfo.InvariantCulture));
        return found;
    }

    private static IEnumerable<Func<string, string>> Current(IEnumerable<Func<string, string>> rows, CallRequest call, Func<Func<string, string>, string> key)
    {
        var current = new Dictionary<string, Func<string, string>>();
        foreach (var row in rows.Where(row => call.Filters.All(filter => Matches(row, filter))))
            if (!current.TryGetValue(key(row), out var other) || Number(row("revision")) > Number(other("revision")) == (call.ScdView == "restated"))
                current[key(row)] = row;
        return current.Values;
    }

    private static bool Matches(Func<string, string> row, CallFilter filter) => filter.Op switch
    {
        "=" => row(filter.Field) == filter.Value?.ToString(),
        "!=" => row(filter.Field) != filter.Value?.ToString(),
        "in" => filter.Value!.AsArray().Any(one => one?.ToString() == row(filter.Field)),
        _ => throw new Refusal(400, "SCHEMA_MISMATCH", $"no operator {filter.Op} here"),
    };

    private static Series RenewableShare(Tables tables)
    {
        var all = new Dictionary<string, decimal>();
        var renewable = new Dictionary<string, decimal>();
        foreach (var row in tables.Rows("GDP_ElectricityGeneration"))
        {
            Add(all, row("year")[..4], Number(row("net_generation")));
            Add(renewable, row("year")[..4], row("source") == "Renewables" ? Number(row("net_generation")) : 0);
        }
        var found = new Series();
        foreach (var (year, amount) in all)
            found[(year, "")] = (double)renewable[year] / (double)amount;
        return found;
    }

    private static Series Jobs(Tables tables)
    {
        var found = new Series();
        foreach (var row in tables.Rows("GDP_Employment"))
            foreach (var sector in Sectors)
                found[(row("month")[..7], sector)] = (double)Number(row(sector));
        return found;
    }

    private static Series Diffusion(Series jobs)
    {
        var found = new Series();
        foreach (var month in jobs.Keys.Select(key => key.Period).Distinct())
        {
            var before = Before(month, "MoM");
            if (!jobs.ContainsKey((before, Sectors[0])))
                continue;
            var halves = Sectors.Sum(sector => 1 + Math.Sign(jobs[(month, sector)] - jobs[(before, sector)]));
            found[(month, "")] = 50.0 * halves / Sectors.Length;
        }
        return found;
    }

    private static Series Unemployment(Tables tables, bool byIndustry)
    {
        var people = new Dictionary<(string, string), double>();
        var force = new Dictionary<(string, string), double>();
        foreach (var row in tables.Rows("GDP_Unemployment"))
        {
            var key = ($"{row("year")}-{row("month").PadLeft(2, '0')}", byIndustry ? row("series") : "");
            people[key] = people.GetValueOrDefault(key) + (double)Number(row("count"));
            force[key] = force.GetValueOrDefault(key) + (double)Number(row("count")) / (double)Number(row("rate")) * 100;
        }
        var found = new Series();
        foreach (var (key, count) in people)
            found[key] = 100 * count / force[key];
        return found;
    }

    private static Series OnTime(Tables tables, CallRequest call)
    {
        var flights = new Dictionary<(string, string), (int All, int OnTime)>();
        foreach (var row in tables.Rows("GDP_Flights").Where(row => call.Filters.All(filter => Matches(row, filter))))
        {
            var key = (row("date")[..10].Replace('/', '-'), call.Dimensions.Contains("origin") ? row("origin") : "");
            var (all, onTime) = flights.GetValueOrDefault(key);
            flights[key] = (all + 1, onTime + (Number(row("delay")) < LateFromMinutes ? 1 : 0));
        }
        var found = new Series();
        foreach (var (key, (all, onTime)) in flights)
            found[key] = onTime / (double)all;
        return found;
    }

    private static Series LabourMarket(Series jobs, Series rate)
    {
        const string Start = "2006-01";
        double AllJobs(string month) => Sectors.Sum(sector => jobs[(month, sector)]);
        var found = new Series();
        foreach (var ((month, _), value) in rate)
            if (jobs.ContainsKey((month, Sectors[0])))
                found[(month, "")] = 50 * (AllJobs(month) / AllJobs(Start) + (100 - value) / (100 - rate[(Start, "")]));
        return found;
    }

    private static void Add<TKey>(Dictionary<TKey, decimal> sums, TKey key, decimal amount) where TKey : notnull =>
        sums[key] = sums.GetValueOrDefault(key) + amount;

    private static decimal Number(string text) => decimal.Parse(text, CultureInfo.InvariantCulture);
}
