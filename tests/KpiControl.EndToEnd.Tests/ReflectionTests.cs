using System.Diagnostics;
using System.Text.Json;
using KpiControl.Testing;

namespace KpiControl.EndToEnd.Tests;

/// <summary>A client that was never told the API: npm's buf, which speaks as grpcurl does, learns it by reflection.</summary>
public sealed class ReflectionTests(Product product) : IClassFixture<Product>
{
    [Fact]
    public async Task Pause_and_resume_work_through_reflection_alone()
    {
        await product.PostAsync("/api/contracts", new { tenant = "acme", format = "yaml", content = await File.ReadAllTextAsync(Repository.File("samples", "contracts", "cfo-ef-02.yaml")) });
        var content = await File.ReadAllTextAsync(Repository.File("samples", "jobs", "dso_daily.yaml"));
        var created = await product.PostAsync("/api/kpi-jobs", new { environment = "dev", content });
        var binding = created.GetProperty("binding_id").GetInt64();

        var paused = await CallAsync("kpicontrol.v1.JobService/PauseJob", $$"""{"binding_id": {{binding}}, "reason": "month end"}""");
        Assert.True(paused.GetProperty("paused").GetBoolean());
        var resumed = await CallAsync("kpicontrol.v1.JobService/ResumeJob", $$"""{"tenant": "acme", "environment": "dev", "job_id": "dso_daily"}""");
        Assert.False(resumed.TryGetProperty("paused", out var still) && still.GetBoolean());
    }

    private async Task<JsonElement> CallAsync(string method, string body)
    {
        var token = $"authorization: Bearer {product.Token("admin")}";
        var start = new ProcessStartInfo(Repository.File("tests", "KpiControl.EndToEnd.Tests", "buf", "node_modules", "@bufbuild", "buf-linux-x64", "bin", "buf"),
            ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "-H", token, "--reflect-header", token, "-d", body, $"{product.GrpcUrl}/{method}"])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var buf = Process.Start(start)!;
        var answer = buf.StandardOutput.ReadToEndAsync();
        var said = await buf.StandardError.ReadToEndAsync();
        await buf.WaitForExitAsync();
        Assert.True(buf.ExitCode == 0, said);
        return JsonDocument.Parse(await answer).RootElement;
    }
}
