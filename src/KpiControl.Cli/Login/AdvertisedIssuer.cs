using System.Net;
using System.Text.Json;

namespace KpiControl.Cli.Login;

/// <summary>The issuer that a control plane names (RFC 9728), for whoever configured none.</summary>
internal static class AdvertisedIssuer
{
    private const string Path = "/.well-known/oauth-protected-resource";

    /// <summary>Null where it names none.</summary>
    public static async Task<string?> OfAsync(Uri server, CancellationToken token)
    {
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(10) }) { Timeout = TimeSpan.FromSeconds(30) };
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server, Path)) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        try
        {
            using var answer = await http.SendAsync(request, token);
            if (answer.StatusCode != HttpStatusCode.OK)
                return null;
            using var document = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(token));
            return document.RootElement.TryGetProperty("authorization_servers", out var servers) && servers is { ValueKind: JsonValueKind.Array } && servers.GetArrayLength() > 0 ? servers[0].GetString() : null;
        }
        catch (HttpRequestException unreachable)
        {
            throw new Refusal($"cannot reach the control plane at {server.AbsoluteUri.TrimEnd('/')}: {Output.Talk.OneLine(unreachable.Message)}", "check the address, or name the issuer yourself: --issuer URL", ExitCode.Failed);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
