using System.Text.Json;
using KpiControl.Testing;

namespace KpiControl.EndToEnd.Tests;

/// <summary>From a file to a KPI through shipped processes: one job loads and builds, and its refresh starts the one that waits for it.</summary>
public sealed class StagePathTests(Product product) : IClassFixture<Product>
{
    private const string LastDay = "2024-12-31";

    [Fact]
    public async Task A_job_that_builds_a_table_wakes_the_job_that_waits_for_it()
    {
        foreach (var contract in new[] { "raw-invoices", "gdp-invoices", "cfo-in-01" })
            await product.PostAsync("/api/contracts", new { tenant = "acme", format = "yaml", content = Sample("contracts", contract) });
        var load = await product.EventuallyAsync("an agent that can is known, and the job is bound", () => BoundAsync("invoices_load"));
        var monthly = (await BoundAsync("invoices_monthly"))!.Value;
        await TriggerAsync(monthly);
        await product.EventuallyAsync("it waits for the table", () => WaitsForAsync(monthly, "GDP_Invoices"));

        await TriggerAsync(load);
        var loaded = await product.EventuallyAsync("the tables are there", () => FinalRunAsync(load));
        var computed = await product.EventuallyAsync("who waited for them ran", () => FinalRunAsync(monthly));

        Assert.Equal(("success", "success"), (loaded.GetProperty("status").GetString(), computed.GetProperty("status").GetString()));
        var stages = (await EvidenceAsync(loaded)).GetProperty("stages").EnumerateArray().Select(stage => $"{stage.GetProperty("stage")} {stage.GetProperty("dataset")} {stage.GetProperty("status")} {stage.GetProperty("output_rows")}");
        Assert.Equal(["ingestion RAW_Invoices succeeded 722", "raw RAW_Invoices succeeded 722", "gdp GDP_Invoices succeeded 576"], stages);
        var refresh = Assert.Single((await product.GetAsync("/api/signals?tenant=acme&name=GDP_Invoices")).GetProperty("facts").EnumerateArray());
        Assert.Equal(($"run/{loaded.GetProperty("run_id").GetInt64()}", "2025-01-01T00:00:00Z", "agent-eu"),
            (refresh.GetProperty("run_id").GetString(), refresh.GetProperty("data_through").GetString(), refresh.GetProperty("published_by").GetString()));
        Assert.Equal(72, (await EvidenceAsync(computed)).GetProperty("points").GetArrayLength());
    }

    private async Task<long?> BoundAsync(string job)
    {
        using var response = await product.Rest.PostAsync("/api/kpi-jobs", new StringContent(JsonSerializer.Serialize(new { environment = "dev", region = "eu", format = "yaml", content = Sample("jobs", job) }),
            new System.Net.Http.Headers.MediaTypeHeaderValue("application/json")));
        var text = await response.Content.ReadAsStringAsync();
        // Until the agent has said Hello nobody is known who could execute it.
        if (!response.IsSuccessStatusCode && text.Contains("unsupported.stages", StringComparison.Ordinal))
            return null;
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement.GetProperty("binding_id").GetInt64();
    }

    private Task<JsonElement> TriggerAsync(long binding) => product.PostAsync($"/api/kpi-jobs/{binding}/trigger", new { business_date = LastDay, reason = "test" });

    private async Task<JsonElement> EvidenceAsync(JsonElement run) => (await product.GetAsync($"/api/kpi-runs/{run.GetProperty("run_id").GetInt64()}")).GetProperty("evidence");

    private async Task<bool?> WaitsForAsync(long binding, string table)
    {
        var job = await product.GetAsync($"/api/kpi-jobs/{binding}");
        return job.TryGetProperty("occurrence", out var open) && open.ToString().Contains(table, StringComparison.Ordinal) ? true : null;
    }

    private async Task<JsonElement?> FinalRunAsync(long binding)
    {
        var history = await product.GetAsync($"/api/kpi-jobs/{binding}/history");
        return history.TryGetProperty("runs", out var runs)
            ? runs.EnumerateArray().Where(r => r.GetProperty("business_date").GetString() == LastDay && r.TryGetProperty("final", out var final) && final.GetBoolean()).Select(r => (JsonElement?)r).FirstOrDefault()
            : null;
    }

    private static string Sample(string folder, string name) => File.ReadAllText(Repository.File("samples", "stages", folder, $"{name}.yaml"));
}
