using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace KpiControl.Testing.Stores;

/// <summary>
/// GetSecretValue of AWS Secrets Manager as its documentation describes it. Each signature is computed anew from the request
/// as it came, with nothing but HMAC and SHA-256; the library that the agent signs with has no part in it.
/// </summary>
public sealed class AwsSecretServer : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, string> secrets = new();
    private StoreServer server = null!;

    public string Url => server.Url;

    public string Region { get; } = "eu-central-1";

    public string KeyId { get; } = "AKIDEXAMPLE";

    public string Key { get; set; } = Guid.NewGuid().ToString("N");

    public string? SessionToken { get; set; }

    /// <summary>Answers every request that is signed well with this error while it is set.</summary>
    public (int Status, string Kind)? Fails { get; set; }

    public static async Task<AwsSecretServer> StartAsync()
    {
        var aws = new AwsSecretServer();
        aws.server = await StoreServer.StartAsync(aws.AnswerAsync);
        return aws;
    }

    public void Write(string name, string value) => secrets[name] = value;

    public ValueTask DisposeAsync() => server.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var (status, answer) = Answer(context.Request, body.ToArray());
        context.Response.StatusCode = status;
        await context.Response.WriteAsJsonAsync(answer);
    }

    private (int, JsonObject) Answer(HttpRequest request, byte[] body)
    {
        if (request.Headers["X-Amz-Security-Token"].ToString() != (SessionToken ?? ""))
            return Error(400, "UnrecognizedClientException", request);
        if (request.Headers.Authorization != Expected(request, body))
            return Error(400, "InvalidSignatureException", request);
        if (request.Headers["X-Amz-Target"] != "secretsmanager.GetSecretValue" || request.ContentType != "application/x-amz-json-1.1")
            return Error(400, "UnknownOperationException", request);
        if (Fails is { } fails)
            return Error(fails.Status, $"com.amazonaws.secretsmanager#{fails.Kind}", request);
        var name = (string)JsonNode.Parse(body)!["SecretId"]!;
        return secrets.TryGetValue(name, out var value)
            ? (200, new JsonObject { ["Name"] = name, ["SecretString"] = value, ["VersionId"] = Version(value) })
            : Error(400, "ResourceNotFoundException", request);
    }

    public static string Version(string value) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("v" + value)))[..12];

    // The four steps of "Signature Version 4 signing process", over the header names that the caller says it has signed.
    private string Expected(HttpRequest request, byte[] body)
    {
        const string before = "SignedHeaders=";
        var said = request.Headers.Authorization.ToString();
        var at = said.IndexOf(before, StringComparison.Ordinal);
        var names = at < 0 ? "" : said[(at + before.Length)..].Split(',')[0];
        if (!new[] { "host", "x-amz-date" }.All(names.Split(';').Contains))
            return "";
        var canonical = new StringBuilder(request.Method).Append('\n').Append(request.Path.Value).Append('\n').Append(request.QueryString.Value?.TrimStart('?')).Append('\n');
        foreach (var name in names.Split(';'))
            canonical.Append(name).Append(':').Append(request.Headers[name].ToString().Trim()).Append('\n');
        canonical.Append('\n').Append(names).Append('\n').Append(Hex(SHA256.HashData(body)));
        var stamp = request.Headers["X-Amz-Date"].ToString();
        var scope = $"{stamp[..8]}/{Region}/secretsmanager/aws4_request";
        var key = new[] { stamp[..8], Region, "secretsmanager", "aws4_request" }.Aggregate(Encoding.UTF8.GetBytes("AWS4" + Key), (so, part) => HMACSHA256.HashData(so, Encoding.UTF8.GetBytes(part)));
        var text = $"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical.ToString())))}";
        return $"AWS4-HMAC-SHA256 Credential={KeyId}/{scope}, SignedHeaders={names}, Signature={Hex(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text)))}";
    }

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);

    private static (int, JsonObject) Error(int status, string kind, HttpRequest request) =>
        (status, new JsonObject { ["__type"] = kind, ["message"] = $"{request.Headers["X-Amz-Security-Token"]} {request.Headers.Authorization}" });
}
