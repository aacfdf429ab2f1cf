using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary>An answer of Vault's HTTP API; the body is null where there is none that is JSON.</summary>
internal readonly record struct VaultAnswer(HttpStatusCode Status, JsonElement? Body)
{
    public bool IsSuccess => (int)Status is >= 200 and < 300;

    public JsonElement? Member(params ReadOnlySpan<string> path)
    {
        var at = Body;
        foreach (var name in path)
            at = at is { ValueKind: JsonValueKind.Object } owner && owner.TryGetProperty(name, out var member) ? member : null;
        return at;
    }
}

/// <summary>Vault's HTTP API as its documentation describes it.</summary>
internal sealed class VaultClient(VaultOptions options, HttpClient client) : IDisposable
{
    public Task<VaultAnswer> GetAsync(string path, string vaultToken, CancellationToken token) => SendAsync(HttpMethod.Get, path, vaultToken, null, token);

    public Task<VaultAnswer> PostAsync(string path, string? vaultToken, object body, CancellationToken token) => SendAsync(HttpMethod.Post, path, vaultToken, body, token);

    public void Dispose() => client.Dispose();

    private async Task<VaultAnswer> SendAsync(HttpMethod method, string path, string? vaultToken, object? body, CancellationToken token)
    {
        using var request = new HttpRequestMessage(method, new Uri($"{options.Address.TrimEnd('/')}/v1/{path}"));
        request.Headers.Add("X-Vault-Request", "true");
        if (vaultToken is not null)
            request.Headers.Add("X-Vault-Token", vaultToken);
        if (options.Namespace.Length > 0)
            request.Headers.Add("X-Vault-Namespace", options.Namespace);
        if (body is not null)
            request.Content = JsonContent.Create(body);
        using var response = await client.SendAsync(request, token);
        return new VaultAnswer(response.StatusCode, await JsonAsync(response, token));
    }

    private static async Task<JsonElement?> JsonAsync(HttpResponseMessage response, CancellationToken token)
    {
        try
        {
            using var json = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(token));
            return json.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
