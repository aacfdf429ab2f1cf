using Duende.IdentityModel.Client;
using KpiControl.Cli.Connection;

namespace KpiControl.Cli.Login;

/// <summary>Puts the token of a saved login on each call, a fresh one where the old is about to run out.</summary>
internal sealed class LoginRenewal(Surroundings world, Uri server, SavedLogin login, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(30);
    private readonly SemaphoreSlim one = new(1, 1);
    private SavedLogin current = login;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        // Health is asked without.
        if (request.Headers.Remove("authorization"))
            request.Headers.TryAddWithoutValidation("authorization", $"Bearer {await TokenAsync(cancellationToken)}");
        return await base.SendAsync(request, cancellationToken);
    }

    public static bool IsOver(SavedLogin login, Surroundings world) => login.ExpiresAt <= world.Clock.GetUtcNow();

    private async Task<string> TokenAsync(CancellationToken token)
    {
        await one.WaitAsync(token);
        try
        {
            if (current.CanRenew && current.ExpiresAt - Margin <= world.Clock.GetUtcNow())
            {
                current = await RenewAsync(token);
                LoginFile.Write(world, server, current);
            }
            return current.AccessToken;
        }
        finally
        {
            one.Release();
        }
    }

    private async Task<SavedLogin> RenewAsync(CancellationToken token)
    {
        // Another kpictl may have renewed it meanwhile: a refresh token often counts once.
        var saved = LoginFile.Read(world, server);
        if (saved is not null && saved.ExpiresAt - Margin > world.Clock.GetUtcNow())
            return saved;
        var old = saved ?? current;
        try
        {
            using var issuer = await Issuer.FindAsync(old.Issuer, token);
            var request = new LoginRequest(old.ClientId, Secret(old), old.Scope, old.Audience, old.Resource);
            var answer = old.RefreshToken is { } refresh ? await issuer.RefreshAsync(request, refresh, token) : await issuer.ClientCredentialsAsync(request, token);
            return With(old, answer, world);
        }
        catch (Refusal refused)
        {
            throw new Refusal($"the login for {server.Authority} could not be renewed: {refused.Message}", "kpictl login", ExitCode.NotAuthenticated);
        }
    }

    private string? Secret(SavedLogin old) => old.ClientSecret is { } reference ? TokenReference.Resolve(reference, "the saved login", world) : null;

    public static SavedLogin With(SavedLogin login, TokenResponse answer, Surroundings world) => login with
    {
        AccessToken = answer.AccessToken is { Length: > 0 } access ? access : throw new Refusal($"the issuer {login.Issuer} gave no access token", "ask whoever runs it", ExitCode.NotAuthenticated),
        RefreshToken = answer.RefreshToken ?? login.RefreshToken,
        ExpiresAt = answer.ExpiresIn > 0 ? world.Clock.GetUtcNow().AddSeconds(answer.ExpiresIn)
            : TokenClaims.Of(answer.AccessToken).Expiry ?? world.Clock.GetUtcNow().AddMinutes(5),
    };

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            one.Dispose();
        base.Dispose(disposing);
    }
}
