using System.Globalization;
using System.Text.Json;
using KpiControl.Testing;

namespace KpiControl.EndToEnd.Tests;

/// <summary>The specification's example, from the post of its text to the run's values in the history.</summary>
public sealed class MainPathTests(Product product) : IClassFixture<Product>
{
    private const string LastDay = "2024-12-31";

    [Fact]
    public async Task The_specifications_example_goes_from_its_text_to_its_history()
    {
        await product.PostAsync("/api/contracts", new { tenant = "acme", format = "yaml", content = Sample("contracts", "cfo-ef-02.yaml") });

        var created = await PostJobAsync();
        var again = await PostJobAsync();
        var binding = created.GetProperty("binding_id").GetInt64();
        Assert.Equal(binding, again.GetProperty("binding_id").GetInt64());
        Assert.Equal(created.GetProperty("def_id").GetInt64(), again.GetProperty("def_id").GetInt64());
        Assert.Matches("^sha256:[0-9a-f]{64}$", created.GetProperty("content_hash").GetString()!);

        foreach (var dataset in new[] { "GDP_Receivables", "GDP_Sales" })
            await product.PostAsync("/api/refreshes", new { tenant = "acme", environment = "dev", dataset, data_through = "2025-01-01T00:00:00Z", run_id = $"{dataset}-1" });
        await product.PostAsync($"/api/kpi-jobs/{binding}/trigger", new { business_date = LastDay, reason = "test" });

        await product.EventuallyAsync("it waits for the signal, and says so", () => WaitsForAsync(binding, "erp_eod_sync"));
        await product.PostAsync("/api/signals", new { tenant = "acme", environment = "dev", name = "erp_eod_sync", business_date = LastDay });

        var run = await product.EventuallyAsync("the run is in the history", () => FinalRunAsync(binding));
        Assert.True(run.GetProperty("status").GetString() == "success", run.ToString());
        Assert.Equal(created.GetProperty("content_hash").GetString(), run.GetProperty("content_hash").GetString());
        Assert.Equal("1.1.0", run.GetProperty("contract_version").GetString());

        await TheValuesAreTheLedgersAsync(run.GetProperty("run_id").GetInt64());
    }

    private async Task TheValuesAreTheLedgersAsync(long run)
    {
        var detail = await product.GetAsync($"/api/kpi-runs/{run}");
        var values = detail.GetProperty("evidence").GetProperty("points").EnumerateArray().ToDictionary(
            p => (p.GetProperty("period").GetString()!, p.GetProperty("dimensions").GetProperty("company_id").GetString()!),
            p => p.GetProperty("value").GetDouble());
        var expected = Ledger.DaysSalesOutstanding();
        Assert.Equal(expected.Keys.Order(), values.Keys.Order());
        Assert.All(expected, e => Assert.Equal(e.Value, values[e.Key], 1e-9 * Math.Max(1, Math.Abs(e.Value))));
    }

    private Task<JsonElement> PostJobAsync() => product.PostAsync("/api/kpi-jobs",
        new { environment = "dev", region = "eu", format = "yaml", content = Sample("jobs", "dso_daily.yaml") });

    private async Task<bool?> WaitsForAsync(long binding, string signal)
    {
        var job = await product.GetAsync($"/api/kpi-jobs/{binding}");
        return job.TryGetProperty("occurrence", out var open) && open.ToString().Contains(signal, StringComparison.Ordinal) ? true : null;
    }

    private async Task<JsonElement?> FinalRunAsync(long binding)
    {
        var history = await product.GetAsync($"/api/kpi-jobs/{binding}/history");
        return history.TryGetProperty("runs", out var runs)
            ? runs.EnumerateArray().Where(r => r.TryGetProperty("final", out var final) && final.GetBoolean()).Select(r => (JsonElement?)r).FirstOrDefault()
            : null;
    }

    private static string Sample(params string[] path) => File.ReadAllText(Repository.File(["samples", .. path]));

    /// <summary>The same figures in another way: from the files, with decimals, as the data's own README words it.</summary>
    private static class Ledger
    {
        public static Dictionary<(string Period, string Company), double> DaysSalesOutstanding()
        {
            var receivables = FirstReported("receivables.csv", r => (r["company_id"], r["customer_id"], r["month_end"]), r => r["month_end"], "open_amount");
            var sales = FirstReported("sales.csv", r => (r["company_id"], r["invoice_id"], r["sale_type"]), r => r["invoice_date"], "amount", r => r["sale_type"] == "credit");
            return receivables.ToDictionary(r => r.Key, r => (double)r.Value / (double)sales[r.Key] * DaysIn(r.Key.Period));
        }

        private static Dictionary<(string Period, string Company), decimal> FirstReported<TKey>(
            string file, Func<Dictionary<string, string>, TKey> key, Func<Dictionary<string, string>, string> day, string amount, Func<Dictionary<string, string>, bool>? only = null) =>
            Rows(file).Where(r => r["ledger_type"] == "actual" && (only?.Invoke(r) ?? true)).GroupBy(key)
                .Select(rows => rows.MinBy(r => int.Parse(r["revision"], CultureInfo.InvariantCulture))!)
                .GroupBy(r => (day(r)[..7], r["company_id"]))
                .ToDictionary(g => g.Key, g => g.Sum(r => decimal.Parse(r[amount], CultureInfo.InvariantCulture)));

        private static int DaysIn(string period) =>
            DateTime.DaysInMonth(int.Parse(period[..4], CultureInfo.InvariantCulture), int.Parse(period[5..], CultureInfo.InvariantCulture));

        private static IEnumerable<Dictionary<string, string>> Rows(string file)
        {
            var lines = File.ReadAllLines(Repository.File("samples", "data", file));
            var header = lines[0].Split(',');
            return lines.Skip(1).Select(line => header.Zip(line.Split(',')).ToDictionary(c => c.First, c => c.Second));
        }
    }
}
