using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Authoring;

public sealed class RestPathTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_specifications_paths_create_edit_pause_resume_and_show_history()
    {
        await fixture.Host.PutContractAsync(SampleTexts.Contract("cfo-ef-02.yaml"), Token);
        using var rest = fixture.Host.Rest();
        async Task<JsonNode> SendAsync(HttpMethod method, string path, object? body)
        {
            using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
            using var answer = await rest.SendAsync(request, Token);
            var text = await answer.Content.ReadAsStringAsync(Token);
            Assert.True(answer.StatusCode == HttpStatusCode.OK, text);
            return JsonNode.Parse(text)!;
        }

        var created = await SendAsync(HttpMethod.Post, "/api/kpi-jobs", new { format = "yaml", content = SampleTexts.DsoDaily });
        var id = (long)created["binding_id"]!;
        var edited = await SendAsync(HttpMethod.Put, $"/api/kpi-jobs/{id}", new { schedule_cron = "0 3 * * *" });
        var paused = await SendAsync(HttpMethod.Post, $"/api/kpi-jobs/{id}/pause", new { reason = "month end" });
        var resumed = await SendAsync(HttpMethod.Post, $"/api/kpi-jobs/{id}/resume", new { });
        var history = await SendAsync(HttpMethod.Get, $"/api/kpi-jobs/{id}/history", null);

        Assert.StartsWith("sha256:", (string)created["content_hash"]!);
        Assert.True((long)created["def_id"]! > 0);
        Assert.Equal("0 3 * * *", (string)edited["job"]!["schedule_cron"]!);
        Assert.True((bool)paused["paused"]!);
        Assert.False((bool?)resumed["paused"] ?? false);
        Assert.NotNull(history);
    }
}
