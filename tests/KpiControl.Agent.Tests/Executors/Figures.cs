using System.Globalization;

namespace KpiControl.Agent.Tests.Executors;

/// <summary>
/// The sample KPIs computed a second way, from the CSV files and the words of samples/README.md, without SQL: what every
/// executor must come to. A series is (period's first day, dimension) → value; a key that is absent has no row.
/// </summary>
internal sealed class Figures(string data)
{
    public static readonly string[] Sectors =
    [
        "mining_and_logging", "construction", "manufacturing", "trade_transportation_utilties", "information", "financial_activities",
        "professional_and_business_services", "education_and_health_services", "leisure_and_hospitality", "other_services", "government",
    ];

    public Dictionary<(DateOnly, string), double> DaysSalesOutstanding(bool restated)
    {
        var open = Picked("receivables.csv", row => (row["company_id"], row["customer_id"], row["month_end"]), restated)
            .GroupBy(row => (Month(row["month_end"]), row["company_id"])).ToDictionary(group => group.Key, group => group.Sum(row => Amount(row["open_amount"])));
        var sold = Picked("sales.csv", row => (row["company_id"], row["invoice_id"]), restated).Where(row => row["sale_type"] == "credit")
            .GroupBy(row => (Month(row["invoice_date"]), row["company_id"])).ToDictionary(group => group.Key, group => group.Sum(row => Amount(row["amount"])));
        return open.ToDictionary(one => one.Key, one => (double)(one.Value / sold[one.Key] * DateTime.DaysInMonth(one.Key.Item1.Year, one.Key.Item1.Month)));
    }

    public Dictionary<(DateOnly, string), double> RenewableShare() =>
        Read("iowa-electricity.csv").GroupBy(row => Day(row["year"])).ToDictionary(
            year => (year.Key, ""),
            year => (double)(year.Where(row => row["source"] == "Renewables").Sum(row => Amount(row["net_generation"])) / year.Sum(row => Amount(row["net_generation"]))));

    public Dictionary<(DateOnly, string), double> Jobs() =>
        Read("us-employment.csv").SelectMany(row => Sectors.Select(sector => (Key: (Day(row["month"]), sector), Value: (double)Amount(row[sector]))))
            .ToDictionary(one => one.Key, one => one.Value);

    public Dictionary<(DateOnly, string), double> Diffusion()
    {
        var jobs = Jobs();
        var found = new Dictionary<(DateOnly, string), double>();
        foreach (var month in jobs.Keys.Select(key => key.Item1).Distinct())
            if (jobs.ContainsKey((month.AddMonths(-1), Sectors[0])))
                found[(month, "")] = 100 * Sectors.Average(sector => jobs[(month, sector)].CompareTo(jobs[(month.AddMonths(-1), sector)]) switch { > 0 => 1, 0 => 0.5, _ => 0 });
        return found;
    }

    public Dictionary<(DateOnly, string), double> Unemployment(bool byIndustry) =>
        Read("unemployment-across-industries.csv")
            .GroupBy(row => (new DateOnly(Number(row["year"]), Number(row["month"]), 1), byIndustry ? row["series"] : ""))
            .ToDictionary(group => group.Key, group => (double)(100 * group.Sum(row => Amount(row["count"])) / group.Sum(row => Amount(row["count"]) * 100 / Amount(row["rate"]))));

    public Dictionary<(DateOnly, string), double> OnTime(bool byOrigin, string? only = null) =>
        Read("flights-5k.csv").Where(row => only is null || row["origin"] == only)
            .GroupBy(row => (Day(row["date"][..10].Replace('/', '-')), byOrigin ? row["origin"] : ""))
            .ToDictionary(group => group.Key, group => (double)group.Count(row => Number(row["delay"]) < 15) / group.Count());

    public Dictionary<(DateOnly, string), double> LabourMarket()
    {
        var jobs = Jobs().GroupBy(one => one.Key.Item1).ToDictionary(month => month.Key, month => month.Sum(one => one.Value));
        var rate = Unemployment(byIndustry: false).ToDictionary(one => one.Key.Item1, one => one.Value);
        var start = new DateOnly(2006, 1, 1);
        return jobs.Keys.Intersect(rate.Keys).ToDictionary(
            month => (month, ""), month => 50 * jobs[month] / jobs[start] + 50 * (100 - rate[month]) / (100 - rate[start]));
    }

    private List<Dictionary<string, string>> Picked<TKey>(string file, Func<Dictionary<string, string>, TKey> key, bool restated) =>
        [.. Read(file).Where(row => row["ledger_type"] == "actual").GroupBy(key)
            .Select(versions => restated ? versions.MaxBy(row => Number(row["revision"]))! : versions.MinBy(row => Number(row["revision"]))!)];

    private IEnumerable<Dictionary<string, string>> Read(string file)
    {
        var lines = File.ReadAllLines(Path.Combine(data, file));
        var names = lines[0].Split(',');
        // No cell of these files holds a comma or a quote.
        return lines.Skip(1).Select(line => names.Zip(line.Split(',')).ToDictionary(cell => cell.First, cell => cell.Second));
    }

    private static DateOnly Day(string text) => DateOnly.ParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static DateOnly Month(string text) => Day(text[..8] + "01");

    private static decimal Amount(string text) => decimal.Parse(text, CultureInfo.InvariantCulture);

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
