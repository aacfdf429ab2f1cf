using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Amazon.Runtime.Internal.Auth;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary>A POST of AWS's JSON protocol 1.1, to be signed (Signature Version 4, computed by AWSSDK.Core).</summary>
internal sealed class AwsRequest(Uri endpoint, string region, string target, string body)
{
    private const string Service = "secretsmanager";
    private const string ContentType = "application/x-amz-json-1.1";

    public HttpRequestMessage Signed(string keyId, string key, string? sessionToken, DateTimeOffset at)
    {
        var stamp = at.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        var headers = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["content-type"] = ContentType, ["host"] = endpoint.IsDefaultPort ? endpoint.Host : endpoint.Authority, ["x-amz-date"] = stamp, ["x-amz-target"] = target,
        };
        if (sessionToken is not null)
            headers["x-amz-security-token"] = sessionToken;
        var signed = string.Join(';', headers.Keys);
        var canonical = $"POST\n/\n\n{string.Concat(headers.Select(header => $"{header.Key}:{header.Value}\n"))}\n{signed}\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(body)))}";
        var signature = AWS4Signer.ComputeSignature(keyId, key, region, at.UtcDateTime, Service, signed, canonical);
        return Message(headers, signature.ForAuthorizationHeader);
    }

    private HttpRequestMessage Message(SortedDictionary<string, string> headers, string authorization)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(endpoint, "/")) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(ContentType);
        foreach (var (name, value) in headers.Where(header => header.Key.StartsWith("x-amz-", StringComparison.Ordinal)))
            request.Headers.TryAddWithoutValidation(name, value);
        request.Headers.TryAddWithoutValidation("Authorization", authorization);
        return request;
    }
}
