using System.Net.Http.Headers;
using System.Text.Json;
using Duende.IdentityModel.Client;
using KpiControl.Cli.Connection;
using KpiControl.Cli.Output;

namespace KpiControl.Cli.Login;

/// <summary>What is asked for at the issuer, and as which client.</summary>
internal sealed record LoginRequest(string ClientId, string? Secret, string? Scope, string? Audience, string? Resource);

/// <summary>The OpenID Connect issuer: its endpoints by discovery, tokens by device flow, client credentials or refresh.</summary>
internal sealed class Issuer : IDisposable
{
    private readonly HttpClient http = new(new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(10) }) { Timeout = TimeSpan.FromSeconds(30) };
    private DiscoveryDocumentResponse found = null!;

    private Issuer() => http.DefaultRequestHeaders.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));

    public string Url { get; private init; } = "";

    public static async Task<Issuer> FindAsync(string url, CancellationToken token)
    {
        var issuer = new Issuer { Url = url };
        // Endpoints may be at other hosts than the issuer's name; what speaks for them is that the issuer says so, over TLS.
        var policy = new DiscoveryPolicy { RequireHttps = true, AllowHttpOnLoopback = true, ValidateEndpoints = false, RequireKeySet = false };
        issuer.found = await issuer.http.GetDiscoveryDocumentAsync(new DiscoveryDocumentRequest { Address = url, Policy = policy }, token);
        if (!issuer.found.IsError)
            return issuer;
        issuer.Dispose();
        throw new Refusal($"the issuer {url} cannot be asked: {Talk.OneLine(issuer.found.Error ?? "no answer")}", "check its address (--issuer): it serves /.well-known/openid-configuration");
    }

    public async Task<DeviceAuthorizationResponse> DeviceAsync(LoginRequest request, CancellationToken token)
    {
        var asked = new DeviceAuthorizationRequest
        {
            Address = Endpoint(found.DeviceAuthorizationEndpoint, "the device flow"), ClientId = request.ClientId, ClientSecret = request.Secret, Scope = request.Scope,
            ClientCredentialStyle = Style(request), Parameters = More(request),
        };
        var answer = await http.RequestDeviceAuthorizationAsync(asked, token);
        return answer.IsError ? throw Refused(answer, answer.ErrorDescription) : answer;
    }

    /// <summary>Null: the person has not decided yet. <paramref name="slower"/>: the issuer is asked too often.</summary>
    public async Task<TokenResponse?> PollAsync(LoginRequest request, string deviceCode, Action slower, CancellationToken token)
    {
        var answer = await http.RequestDeviceTokenAsync(new DeviceTokenRequest
        {
            Address = found.TokenEndpoint, ClientId = request.ClientId, ClientSecret = request.Secret, DeviceCode = deviceCode, ClientCredentialStyle = Style(request), Parameters = More(request),
        }, token);
        if (answer.Error == "slow_down")
            slower();
        return answer.Error switch
        {
            "authorization_pending" or "slow_down" => null,
            "expired_token" => throw new Refusal("the code ran out before it was confirmed", "kpictl login", ExitCode.NotAuthenticated),
            "access_denied" => throw new Refusal("the login was refused at the issuer", "kpictl login", ExitCode.NotAuthenticated),
            _ when answer.IsError => throw Refused(answer, answer.ErrorDescription),
            _ => answer,
        };
    }

    public async Task<TokenResponse> ClientCredentialsAsync(LoginRequest request, CancellationToken token)
    {
        var answer = await http.RequestClientCredentialsTokenAsync(new ClientCredentialsTokenRequest
        {
            Address = Endpoint(found.TokenEndpoint, "client credentials"), ClientId = request.ClientId, ClientSecret = request.Secret, Scope = request.Scope, Parameters = More(request),
        }, token);
        return answer.IsError ? throw Refused(answer, answer.ErrorDescription) : answer;
    }

    public async Task<TokenResponse> RefreshAsync(LoginRequest request, string refreshToken, CancellationToken token)
    {
        var answer = await http.RequestRefreshTokenAsync(new RefreshTokenRequest
        {
            Address = Endpoint(found.TokenEndpoint, "a renewal"), ClientId = request.ClientId, ClientSecret = request.Secret, RefreshToken = refreshToken, ClientCredentialStyle = Style(request),
            Parameters = More(request),
        }, token);
        return answer.IsError ? throw Refused(answer, answer.ErrorDescription) : answer;
    }

    /// <returns>False: the issuer takes no token back, or did not take this one.</returns>
    public async Task<bool> RevokeAsync(LoginRequest request, string refreshToken, CancellationToken token) =>
        found.RevocationEndpoint is { Length: > 0 } endpoint && !(await http.RevokeTokenAsync(new TokenRevocationRequest
        {
            Address = Endpoint(endpoint, "a revocation"), ClientId = request.ClientId, ClientSecret = request.Secret, Token = refreshToken, TokenTypeHint = "refresh_token", ClientCredentialStyle = Style(request),
        }, token)).IsError;

    public void Dispose() => http.Dispose();

    // A client without a secret has nothing to put into a header.
    private static ClientCredentialStyle Style(LoginRequest request) => request.Secret is null ? ClientCredentialStyle.PostBody : ClientCredentialStyle.AuthorizationHeader;

    private static Parameters More(LoginRequest request)
    {
        var more = new Parameters();
        more.AddOptional("audience", request.Audience);
        more.AddOptional("resource", request.Resource);
        return more;
    }

    private string Endpoint(string? endpoint, string what)
    {
        if (string.IsNullOrEmpty(endpoint))
            throw new Refusal($"the issuer {Url} does not offer {what}", "ask whoever runs it, or use a token of another way: KPICTL_TOKEN");
        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out var address) || address.Scheme != "https" && !ServerAddress.IsLoopback(address.Host))
            throw new Refusal($"the issuer {Url} names an endpoint without TLS: {Talk.OneLine(endpoint)}", "a token or secret would be readable on the way; ask whoever runs the issuer");
        return endpoint;
    }

    private Refusal Refused(ProtocolResponse answer, string? description) => Said(answer) is { } error
        ? new Refusal($"the issuer {Url} refused: {Talk.OneLine(error)}{(string.IsNullOrEmpty(description) ? "" : $" ({Talk.OneLine(description)})")}",
            "check the client (--client-id), what it may do, --scope, --audience and --resource", ExitCode.NotAuthenticated)
        : new Refusal($"the issuer {Url} cannot be asked: {Talk.OneLine(answer.Error ?? "no answer")}", "try again", ExitCode.NotAuthenticated);

    // A refused client is answered with 401, of which the library keeps only the status.
    private static string? Said(ProtocolResponse answer)
    {
        if (answer.ErrorType == ResponseErrorType.Protocol)
            return answer.Error;
        try
        {
            using var said = JsonDocument.Parse(answer.Raw ?? "");
            return said.RootElement.TryGetProperty("error", out var error) ? error.GetString() : null;
        }
        catch (Exception none) when (none is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
