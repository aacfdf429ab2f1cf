using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Rest;

/// <summary>One node for the tests of its edges: they change nothing.</summary>
public sealed class RestFixture : IAsyncLifetime
{
    internal TestDatabase Database { get; private set; } = null!;

    internal TestIssuer Issuer { get; private set; } = null!;

    internal ControlHost Host { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Database = await PostgresFixture.CreateDatabaseAsync();
        Issuer = await TestIssuer.SharedAsync();
        Host = await ControlHost.StartAsync(Database, Issuer);
    }

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        await Database.DisposeAsync();
    }

    internal Task<(int Status, JsonNode Body)> PostAsync(string path, string body, string type = "application/json", string? token = null) =>
        PostAsync(path, Encoding.UTF8.GetBytes(body), type, token);

    internal async Task<(int Status, JsonNode Body)> PostAsync(string path, byte[] body, string? type, string? token = null)
    {
        var content = new ByteArrayContent(body);
        if (type is not null)
            content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        return await SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = content }, token);
    }

    internal async Task<(int Status, JsonNode Body)> SendAsync(HttpRequestMessage request, string? token = null)
    {
        using var answer = await Host.Rest(token).SendAsync(request);
        return ((int)answer.StatusCode, JsonNode.Parse(await answer.Content.ReadAsStringAsync())!);
    }

    internal Task<(int Status, JsonNode Body)> GetAsync(string path, string? token = null) => SendAsync(new HttpRequestMessage(HttpMethod.Get, path), token);
}
