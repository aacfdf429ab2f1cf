using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace KpiControl.Testing.Stores;

/// <summary>
/// Azure Key Vault's "get secret" with its challenge, and the token endpoint that the challenge names, as their documentation
/// describes them; by TLS, with a certificate of its own.
/// </summary>
public sealed class KeyVaultServer : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, (string Version, string Value)> secrets = new();
    private readonly X509Certificate2 certificate = Certificate();
    private StoreServer server = null!;
    private string access = "";

    public string Url => server.Url;

    public string Pem => certificate.ExportCertificatePem();

    public string Tenant { get; } = Guid.NewGuid().ToString();

    public string Client { get; } = Guid.NewGuid().ToString();

    public string ClientSecret { get; set; } = Guid.NewGuid().ToString("N");

    /// <summary>Good for a login by workload identity.</summary>
    public string Assertion { get; set; } = $"assertion-{Guid.NewGuid():N}";

    /// <summary>Part of each token that it gives.</summary>
    public string TokenMark { get; set; } = "access";

    public int? Fails { get; set; }

    public int Challenges { get; private set; }

    public static async Task<KeyVaultServer> StartAsync()
    {
        var vault = new KeyVaultServer();
        vault.server = await StoreServer.StartAsync(vault.AnswerAsync, vault.certificate);
        return vault;
    }

    public void Write(string name, string value) => secrets[name] = (Guid.NewGuid().ToString("N"), value);

    public string Version(string name) => secrets[name].Version;

    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        certificate.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var (status, body) = context.Request.Path == $"/{Tenant}/oauth2/v2.0/token" ? Token(await context.Request.ReadFormAsync()) : Secret(context);
        context.Response.StatusCode = status;
        await context.Response.WriteAsJsonAsync(body);
    }

    private (int, JsonObject) Token(IFormCollection form)
    {
        var isKnown = form["grant_type"] == "client_credentials" && form["client_id"] == Client && form["scope"].ToString().Split(' ').Contains("https://vault.azure.net/.default")
            && (form["client_secret"] == ClientSecret || form["client_assertion"] == Assertion);
        if (!isKnown)
            return (401, new JsonObject { ["error"] = "invalid_client", ["error_description"] = $"AADSTS7000215: Invalid client secret {form["client_secret"]}{form["client_assertion"]}" });
        access = $"{TokenMark}-{Guid.NewGuid():N}";
        return (200, new JsonObject { ["token_type"] = "Bearer", ["expires_in"] = 3599, ["access_token"] = access });
    }

    private (int, JsonObject) Secret(HttpContext context)
    {
        if (access.Length == 0 || context.Request.Headers.Authorization != $"Bearer {access}")
        {
            Challenges++;
            context.Response.Headers.WWWAuthenticate = $"Bearer authorization=\"{Url}/{Tenant}\", resource=\"https://vault.azure.net\"";
            return (401, Error("Unauthorized", context));
        }
        if (Fails is { } fails)
            return (fails, Error(fails == 403 ? "Forbidden" : "Failed", context));
        var path = context.Request.Path.Value!.Trim('/').Split('/');
        return path[0] == "secrets" && context.Request.Query.ContainsKey("api-version") && secrets.TryGetValue(path[1], out var secret) && (path.Length < 3 || path[2] == secret.Version)
            ? (200, new JsonObject { ["value"] = secret.Value, ["id"] = $"{Url}/secrets/{path[1]}/{secret.Version}", ["attributes"] = new JsonObject { ["enabled"] = true } })
            : (404, Error("SecretNotFound", context));
    }

    private static JsonObject Error(string code, HttpContext context) =>
        new() { ["error"] = new JsonObject { ["code"] = code, ["message"] = $"said {context.Request.Headers.Authorization}" } };

    private static X509Certificate2 Certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var asked = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        asked.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        return asked.CreateSelfSigned(now.AddHours(-1), now.AddHours(2));
    }
}
