using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Rest;

public sealed class JobsOverRestTests(RestFixture fixture) : IClassFixture<RestFixture>
{
    private static readonly CancellationToken Token = CancellationToken.None;

    [Fact]
    public async Task The_specifications_example_is_posted_as_it_stands_paused_and_resumed_with_empty_bodies_and_read()
    {
        await fixture.Host.PutContractAsync(SampleTexts.Contract("cfo-ef-02.yaml"), Token);
        var (status, first) = await fixture.PostAsync("/api/kpi-jobs?environment=dev", SampleTexts.DsoDaily, "application/yaml");
        Assert.Equal(200, status);
        Assert.True(first["created"]!.GetValue<bool>());
        Assert.Equal(JsonValueKind.Number, first["binding_id"]!.GetValueKind());
        Assert.StartsWith("sha256:", first["content_hash"]!.GetValue<string>());

        var envelope = JsonSerializer.Serialize(new { content = SampleTexts.DsoDaily, format = "yaml" });
        var (_, again) = await fixture.PostAsync("/api/kpi-jobs", envelope);
        Assert.Equal(first["binding_id"]!.GetValue<long>(), again["binding_id"]!.GetValue<long>());

        var job = $"/api/kpi-jobs/{first["binding_id"]}";
        var (_, paused) = await fixture.PostAsync($"{job}/pause", [], type: null);
        Assert.True(paused["paused"]!.GetValue<bool>());
        Assert.Null(paused["paused_until"]);
        var (_, resumed) = await fixture.PostAsync($"{job}/resume", [], type: null);
        Assert.False(resumed["paused"]!.GetValue<bool>());
        var (typo, error) = await fixture.PostAsync($"{job}/pause", """{"pausd_until": "2026-01-01T00:00:00Z"}""");
        Assert.Equal(400, typo);
        Assert.Contains("did you mean paused_until?", error["message"]!.GetValue<string>());

        Assert.Equal("dso_daily", (await fixture.GetAsync(job)).Body["job_id"]!.GetValue<string>());
        Assert.Equal(5, (await fixture.GetAsync($"{job}/preview")).Body["fire_times"]!.AsArray().Count);
        Assert.Contains("not due yet", (await fixture.GetAsync($"{job}/explain")).Body["answer"]!.GetValue<string>());
        Assert.Empty((await fixture.GetAsync($"{job}/history")).Body["runs"]!.AsArray());
        Assert.Equal(400, (await fixture.GetAsync("/api/kpi-jobs/seven")).Status);
        Assert.Equal(404, (await fixture.GetAsync("/api/kpi-jobs/999999")).Status);
    }

    [Fact]
    public async Task YAML_that_nobody_named_is_taken_for_what_it_is_and_what_cannot_be_meant_says_how_to_send_it()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        Assert.Equal(200, (await fixture.PostAsync("/api/kpi-jobs", Encoding.UTF8.GetBytes(SampleTexts.Simple("unnamed")), type: null)).Status);
        var (asJson, told) = await fixture.PostAsync("/api/kpi-jobs", SampleTexts.Simple("unnamed"));
        Assert.Equal(400, asJson);
        Assert.Contains("'Content-Type: application/yaml'", told["message"]!.GetValue<string>(), StringComparison.Ordinal);
        var (empty, none) = await fixture.PostAsync("/api/kpi-jobs", "", "application/yaml");
        Assert.Equal((400, "body: is empty: send the artifact's text"), (empty, none["message"]!.GetValue<string>()));
        var (_, unknown) = await fixture.PostAsync("/api/kpi-jobs", SampleTexts.Simple("unnamed").Replace("T-SIMPLE", "T-SIMPEL", StringComparison.Ordinal), "application/yaml");
        Assert.Contains("\"/kpi_id\"", unknown.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_JSON_artifact_is_taken_as_it_is_and_its_findings_keep_their_lines()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        const string Artifact = """
            {"job_id": "by_json", "tenant": "acme", "kpi_id": "T-SIMPLE", "contract_version": "1.0.0",
             "schedule": {"type": "cron", "expression": "*/15 * * * *", "timezone": "UTC"}}
            """;
        var (status, made) = await fixture.PostAsync("/api/kpi-jobs?environment=dev&region=us", Artifact);
        Assert.Equal((200, "us"), (status, made["region"]?.GetValue<string>()));

        using var put = new HttpRequestMessage(HttpMethod.Put, $"/api/kpi-jobs/{made["binding_id"]}?reason=later")
        {
            Content = new StringContent(Artifact.Replace("*/15", "*/30", StringComparison.Ordinal), Encoding.UTF8, "application/json"),
        };
        var (rebound, changed) = await fixture.SendAsync(put);
        Assert.True(rebound == 200 && changed["rebound"]!.GetValue<bool>(), changed.ToJsonString());

        var (bad, refused) = await fixture.PostAsync("/api/kpi-jobs", Artifact.Replace("\"timezone\"", "\"timezon\"", StringComparison.Ordinal));
        Assert.Equal(400, bad);
        Assert.Contains("timezon", refused.ToJsonString());
        Assert.Contains("2", refused["details"]!.ToJsonString());
    }

    [Fact]
    public async Task A_watch_streams_over_REST_until_the_watcher_leaves()
    {
        await fixture.Host.PutContractAsync(SampleTexts.SimpleContract(), Token);
        var (_, made) = await fixture.PostAsync("/api/kpi-jobs", SampleTexts.Simple("watched"), "text/yaml");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using var stream = await fixture.Host.Rest().GetStreamAsync($"/api/kpi-jobs/{made["binding_id"]}/watch", patience.Token);
        using var reader = new StreamReader(stream);
        var first = JsonNode.Parse((await reader.ReadLineAsync(patience.Token))!)!;
        Assert.Equal(("state", "watched"), (first["kind"]!.GetValue<string>(), first["job"]!["job_id"]!.GetValue<string>()));
    }

    [Fact]
    public async Task A_job_is_paused_and_resumed_through_reflection_alone()
    {
        var made = await fixture.Host.CreateSimpleAsync(Token, "by_reflection");
        foreach (var (method, says) in new[] { ("PauseJob", "\"paused\": true"), ("ResumeJob", "\"job_id\": \"by_reflection\"") })
        {
            var (code, output, error) = await Buf.RunAsync(Token, "curl", "--protocol", "grpc", "--http2-prior-knowledge", "-H", $"authorization: Bearer {fixture.Issuer.Token()}",
                "--reflect-header", "*", "-d", $$"""{"binding_id": {{made.BindingId}}}""", $"{fixture.Host.GrpcUrl}/kpicontrol.v1.JobService/{method}");
            Assert.True(code == 0, error);
            Assert.Contains(says, output.Replace("\":", "\": ", StringComparison.Ordinal).Replace(":  ", ": ", StringComparison.Ordinal));
        }
    }
}
