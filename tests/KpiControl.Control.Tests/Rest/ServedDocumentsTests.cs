using System.Diagnostics;
using System.Text.RegularExpressions;
using Grpc.Core;
using Grpc.Health.V1;
using KpiControl.Jobs.Artifacts;
using KpiControl.Testing;
using Microsoft.OpenApi;

namespace KpiControl.Control.Tests.Rest;

public sealed partial class ServedDocumentsTests(RestFixture fixture) : IClassFixture<RestFixture>
{
    [Fact]
    public async Task The_OpenAPI_document_reads_back_without_a_fault_and_holds_every_path()
    {
        var text = await fixture.Host.Rest("").GetStringAsync("/openapi/v1.json");
        var read = OpenApiDocument.Parse(text, "json");

        Assert.Empty(read.Diagnostic!.Errors);
        var paths = read.Document!.Paths;
        Assert.Contains(HttpMethod.Put, paths["/api/kpi-jobs/{binding_id}"].Operations!.Keys);
        Assert.Contains("/api/kpi-jobs/{binding_id}/history", paths.Keys);
        var create = paths["/api/kpi-jobs"].Operations![HttpMethod.Post];
        Assert.Contains("application/yaml", create.RequestBody!.Content!.Keys);
        Assert.Contains("Stores the definition", create.Description);
        Assert.Contains("content_hash", read.Document.Components!.Schemas!["CreateJobResponse"].Properties!.Keys);
        Assert.Equal("Warnings.", read.Document.Components.Schemas["CreateJobResponse"].Properties!["findings"].Description);
        Assert.Contains("bearer", read.Document.Components.SecuritySchemes!.Keys);
    }

    [Fact]
    public async Task A_validator_that_others_wrote_takes_the_document_and_refuses_broken_ones()
    {
        var text = await fixture.Host.Rest("").GetStringAsync("/openapi/v1.json");
        var (code, said) = await ValidateAsync(text);
        Assert.True(code == 0, said);
        foreach (var (broken, culprit) in new[]
        {
            (text.Replace("\"openapi\": \"3.1", "\"openapi\": \"9.9"), "9.9"), (text.Replace("#/components/schemas/Job\"", "#/components/schemas/Jop\""), "leads nowhere"),
            (text.Replace("\"in\": \"path\"", "\"in\": \"query\""), "its path has"), (text.Replace("\"type\": \"object\"", "\"type\": \"thing\""), "type"),
        })
        {
            Assert.NotEqual(text, broken);
            var verdict = await ValidateAsync(broken);
            Assert.Equal((1, true), (verdict.Code, verdict.Said.Contains(culprit, StringComparison.Ordinal)));
        }
    }

    private static async Task<(int Code, string Said)> ValidateAsync(string document)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, document);
            using var node = Process.Start(new ProcessStartInfo("node", [Repository.File("tests", "openapi", "validate.mjs"), file]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var (said, broke) = (node.StandardOutput.ReadToEndAsync(), node.StandardError.ReadToEndAsync());
            await node.WaitForExitAsync();
            return (node.ExitCode, await said + await broke);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task The_page_loads_nothing_from_another_host()
    {
        var client = fixture.Host.Rest("");
        var page = await client.GetStringAsync("/docs");
        Assert.True(page.Contains("openapi/v1.json", StringComparison.Ordinal), page);
        var sources = Source().Matches(page).Select(m => m.Groups[1].Value).ToList();
        Assert.NotEmpty(sources);
        Assert.DoesNotContain(sources, s => s.StartsWith("http", StringComparison.Ordinal) || s.StartsWith("//", StringComparison.Ordinal));
        Assert.Contains("\"withDefaultFonts\":false", page.Replace(" ", "", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_schema_of_artifacts_and_health_are_served_without_a_token()
    {
        Assert.Equal(JobSchema.Text, await fixture.Host.Rest("").GetStringAsync(JobSchema.ServedAt));
        Assert.Equal("Healthy", await fixture.Host.Rest("").GetStringAsync("/health"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("kpicontrol.v1.JobService")]
    [InlineData("kpicontrol.v1.AgentService")]
    public async Task Each_service_has_its_health(string service)
    {
        var health = new Health.HealthClient(fixture.Host.Channel(""));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await health.CheckAsync(new HealthCheckRequest { Service = service })).Status);
        await Assert.ThrowsAsync<RpcException>(() => health.CheckAsync(new HealthCheckRequest { Service = "kpicontrol.v1.NoService" }).ResponseAsync);
    }

    [GeneratedRegex("(?:src|href)=\"([^\"]+)\"")]
    private static partial Regex Source();
}
