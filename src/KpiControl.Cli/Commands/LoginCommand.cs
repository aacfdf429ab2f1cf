using System.CommandLine;
using Duende.IdentityModel.Client;
using KpiControl.Cli.Connection;
using KpiControl.Cli.Login;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;

namespace KpiControl.Cli.Commands;

/// <summary>kpictl login and logout: a person by the device flow, a service by its client's secret.</summary>
internal static class LoginCommand
{
    private static readonly Option<string?> At = new("--issuer") { Description = "The OpenID Connect issuer [default: the one that the control plane names] [KPICTL_ISSUER]", HelpName = "URL" };
    private static readonly Option<string?> Client = new("--client-id") { Description = "The client at the issuer [default: kpictl] [KPICTL_CLIENT_ID]", HelpName = "ID" };
    private static readonly Option<string?> SecretFrom = new("--client-secret")
    { Description = "As a service, with the client's secret: env:NAME, file:PATH, or - for standard input; never the secret itself", HelpName = "REFERENCE" };
    private static readonly Option<string?> Scope = new("--scope") { Description = "What is asked for [default: openid offline_access; of a service: nothing]", HelpName = "SCOPES" };
    private static readonly Option<string?> Audience = new("--audience") { Description = "Of the token, where the issuer wants it said", HelpName = "AUDIENCE" };
    private static readonly Option<string?> Resource = new("--resource") { Description = "The resource that the token is for (RFC 8707), where the issuer wants it said", HelpName = "URI" };

    public static Command Create() => new Command("login", "Log in at the issuer: every command then has a token")
        .Online().With(At, Client, SecretFrom, Scope, Audience, Resource).Does(Login);

    public static Command CreateLogout() => new Command("logout", "Forget the login, and have the issuer forget it").Online().Does(Logout);

    private static async Task<int> Login(Session session)
    {
        var (world, target) = (session.World, session.TargetWithoutLogin);
        var configured = ContextFile.Find(world, session.Value(SharedOptions.Context) ?? world.Set("KPICTL_CONTEXT"))?.Login ?? new LoginSettings();
        var from = session.Value(SecretFrom) ?? configured.ClientSecret;
        var login = new SavedLogin
        {
            Issuer = session.Value(At) ?? world.Set("KPICTL_ISSUER") ?? configured.Issuer ?? await AdvertisedIssuer.OfAsync(target.Server, session.Token)
                ?? throw new Refusal($"{target.Server.Authority} does not name its issuer", "name it: kpictl login --issuer URL"),
            ClientId = session.Value(Client) ?? world.Set("KPICTL_CLIENT_ID") ?? configured.ClientId ?? "kpictl",
            ClientSecret = from == "-" ? null : from,
            Scope = session.Value(Scope) ?? configured.Scope ?? (from is null ? "openid offline_access" : null),
            Audience = session.Value(Audience) ?? configured.Audience, Resource = session.Value(Resource) ?? configured.Resource,
        };
        var request = new LoginRequest(login.ClientId, Secret(world, from), login.Scope, login.Audience, login.Resource);
        using var issuer = await Issuer.FindAsync(login.Issuer, session.Token);
        var answer = from is null ? await ByDevice(session, issuer, request) : await issuer.ClientCredentialsAsync(request, session.Token);
        var saved = LoginRenewal.With(login, answer, world);
        LoginFile.Write(world, target.Server, saved);
        world.Error.WriteLine($"logged in to {target.Server.Authority} as {TokenClaims.Of(saved.AccessToken).Subject ?? saved.ClientId}, until {Ages.Absolute(Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(saved.ExpiresAt))}{(saved.CanRenew ? ", renewed by itself" : "")}");
        if (target.TokenSource is "KPICTL_TOKEN" or "KPI_TOKEN" || target.TokenSource.StartsWith("context ", StringComparison.Ordinal))
            world.Error.WriteLine($"  note: {target.TokenSource} is set, and beats the login");
        return ExitCode.Done;
    }

    private static async Task<TokenResponse> ByDevice(Session session, Issuer issuer, LoginRequest request)
    {
        var device = await issuer.DeviceAsync(request, session.Token);
        var world = session.World;
        world.Error.WriteLine($"open {Talk.OneLine(device.VerificationUriComplete ?? device.VerificationUri ?? issuer.Url)}");
        world.Error.WriteLine($"and confirm the code {Talk.OneLine(device.UserCode ?? "")}; waiting for it (Ctrl-C to give up)");
        await world.Error.FlushAsync(session.Token);
        // RFC 8628, 3.5: five seconds where nothing is said, and five more each time that it was too often.
        var pause = TimeSpan.FromSeconds(device.Interval > 0 ? device.Interval : 5);
        while (true)
        {
            await Task.Delay(pause, world.Clock, session.Token);
            if (await issuer.PollAsync(request, device.DeviceCode!, () => pause += TimeSpan.FromSeconds(5), session.Token) is { } answer)
                return answer;
        }
    }

    private static string? Secret(Surroundings world, string? from) => from switch
    {
        null => null,
        "-" => world.In.ReadLine() is { Length: > 0 } secret ? secret.Trim() : throw new Refusal("standard input holds no secret", "kpictl login --client-secret - <FILE"),
        _ => TokenReference.Resolve(from, "--client-secret", world),
    };

    private static async Task<int> Logout(Session session)
    {
        var (world, server) = (session.World, session.TargetWithoutLogin.Server);
        SavedLogin? login = null;
        try
        {
            login = LoginFile.Read(world, server);
        }
        catch (Refusal)
        {
            // A file that cannot be used is removed all the same.
        }
        var isForgotten = login?.RefreshToken is { } refresh && await ForgottenAsync(session, login, refresh);
        if (!LoginFile.Remove(world, server))
            world.Error.WriteLine($"there is no login for {server.Authority}");
        else
            world.Error.WriteLine($"logged out of {server.Authority}{(isForgotten ? ", at the issuer too" : login?.RefreshToken is null ? "" : "; the issuer could not be told, and the login counts there until it runs out")}");
        return ExitCode.Done;
    }

    private static async Task<bool> ForgottenAsync(Session session, SavedLogin login, string refresh)
    {
        try
        {
            using var issuer = await Issuer.FindAsync(login.Issuer, session.Token);
            return await issuer.RevokeAsync(new LoginRequest(login.ClientId, Secret(session.World, login.ClientSecret), null, null, null), refresh, session.Token);
        }
        catch (Refusal)
        {
            return false;
        }
    }
}
