using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;

namespace KpiControl.Testing.Stores;

/// <summary>
/// Vault's HTTP API as its documentation describes it: KV version 2, AppRole and Kubernetes login, lookup and renewal of
/// tokens. It is no Vault: none can be had here. Its errors repeat what it was sent, as no error should.
/// </summary>
public sealed class VaultServer : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, (int Version, JsonObject? Data)> secrets = new();
    private readonly ConcurrentDictionary<string, bool> tokens = new();
    private readonly Channel<string> calls = Channel.CreateUnbounded<string>();
    private StoreServer server = null!;
    private int made;

    public string Url => server.Url;

    public string RoleId { get; } = Guid.NewGuid().ToString();

    /// <summary>Good for a login by AppRole.</summary>
    public string SecretId { get; set; } = Guid.NewGuid().ToString();

    /// <summary>Good for a login by Kubernetes, as role kpi.</summary>
    public string Jwt { get; set; } = $"jwt-{Guid.NewGuid():N}";

    /// <summary>Part of each token that it makes.</summary>
    public string TokenMark { get; set; } = "hvs";

    public int LeaseSeconds { get; set; } = 3600;

    public bool Renewable { get; set; } = true;

    public string Namespace { get; set; } = "";

    /// <summary>Answers everything with this status while it is set: 503 is a sealed Vault.</summary>
    public int? Fails { get; set; }

    public Func<CancellationToken, Task>? Hold { get; set; }

    public int Reads { get; private set; }
    public int Logins { get; private set; }
    public int Renewals { get; private set; }

    /// <summary>Each call's path, in order.</summary>
    public ChannelReader<string> Calls => calls.Reader;

    public static async Task<VaultServer> StartAsync()
    {
        var vault = new VaultServer();
        vault.server = await StoreServer.StartAsync(vault.AnswerAsync);
        return vault;
    }

    /// <param name="path"><c>secret/finance/warehouse</c></param>
    /// <param name="field">Its one field.</param>
    /// <param name="value">Null: the newest version is deleted.</param>
    public void Write(string path, string field, string? value) => secrets.AddOrUpdate(
        path, _ => (1, Data(field, value)), (_, before) => (before.Version + 1, Data(field, value)));

    public string MakeToken()
    {
        var token = $"{TokenMark}.{Interlocked.Increment(ref made)}.{Guid.NewGuid():N}";
        tokens[token] = true;
        return token;
    }

    public void RevokeAll() => tokens.Clear();

    public ValueTask DisposeAsync() => server.DisposeAsync();

    private static JsonObject? Data(string field, string? value) => value is null ? null : new JsonObject { [field] = value };

    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        if (Hold is { } hold)
            await hold(context.RequestAborted);
        var (status, body) = Fails is { } fails ? (fails, Errors(context, fails == 503 ? "Vault is sealed" : "failed"))
            : context.Request.Headers["X-Vault-Request"] != "true" || context.Request.Headers["X-Vault-Namespace"].ToString() != Namespace ? (400, Errors(context, "missing header"))
            : await RouteAsync(context, path);
        context.Response.StatusCode = status;
        if (status is 307)
            context.Response.Headers.Location = "http://other.example/v1/";
        await context.Response.WriteAsJsonAsync(body);
        calls.Writer.TryWrite(path);
    }

    private async Task<(int, JsonNode)> RouteAsync(HttpContext context, string path)
    {
        if (path is "/v1/auth/approle/login" or "/v1/auth/kubernetes/login")
        {
            Logins++;
            var sent = (await JsonNode.ParseAsync(context.Request.Body))!;
            return path.Contains("approle", StringComparison.Ordinal)
                ? (string?)sent["role_id"] == RoleId && (string?)sent["secret_id"] == SecretId ? (200, Auth(MakeToken())) : (400, Errors(context, $"invalid role or secret ID {sent["secret_id"]}"))
                : (string?)sent["role"] == "kpi" && (string?)sent["jwt"] == Jwt ? (200, Auth(MakeToken())) : (403, Errors(context, $"permission denied {sent["jwt"]}"));
        }
        var token = context.Request.Headers["X-Vault-Token"].ToString();
        if (!tokens.ContainsKey(token))
            return (403, Errors(context, "permission denied"));
        if (path == "/v1/auth/token/lookup-self")
            return (200, new JsonObject { ["data"] = new JsonObject { ["id"] = token, ["ttl"] = LeaseSeconds, ["renewable"] = Renewable } });
        if (path == "/v1/auth/token/renew-self" && HttpMethods.IsPost(context.Request.Method))
        {
            Renewals++;
            return (200, Auth(token));
        }
        return Secret(context, path["/v1/".Length..]);
    }

    private (int, JsonNode) Secret(HttpContext context, string path)
    {
        Reads++;
        var parts = path.Split("/data/", 2);
        if (parts.Length != 2 || parts[1].StartsWith("forbidden", StringComparison.Ordinal))
            return (403, Errors(context, "1 error occurred: permission denied"));
        if (!secrets.TryGetValue($"{parts[0]}/{parts[1]}", out var secret))
            return (404, new JsonObject { ["errors"] = new JsonArray() });
        var metadata = new JsonObject { ["version"] = secret.Version, ["destroyed"] = false, ["deletion_time"] = secret.Data is null ? "2026-01-01T00:00:00Z" : "" };
        return (secret.Data is null ? 404 : 200, new JsonObject { ["data"] = new JsonObject { ["data"] = secret.Data?.DeepClone(), ["metadata"] = metadata } });
    }

    private JsonObject Auth(string token) => new()
    {
        ["auth"] = new JsonObject { ["client_token"] = token, ["lease_duration"] = LeaseSeconds, ["renewable"] = Renewable },
    };

    private static JsonObject Errors(HttpContext context, string said) =>
        new() { ["errors"] = new JsonArray($"{said} {context.Request.Headers["X-Vault-Token"]}") };
}
