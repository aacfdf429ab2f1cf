using Grpc.AspNetCore.Server;
using KpiControl.Control.Hosting;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace KpiControl.Control.Security;

internal static class SecurityFeature
{
    private const string ByConnection = "ByConnection";

    public static IServiceCollection AddCallerSecurity(this IServiceCollection services)
    {
        services.AddValidated<AuthenticationOptions>(AuthenticationOptions.Section);
        services.AddValidated<ClaimsOptions>(ClaimsOptions.Section);
        services.AddSingleton<CallRates>();
        // Whoever came with a certificate is who it says, whatever token is sent beside it.
        services.AddAuthentication(ByConnection)
            .AddPolicyScheme(ByConnection, null, scheme => scheme.ForwardDefaultSelector = context =>
                context.Connection.ClientCertificate is null ? JwtBearerDefaults.AuthenticationScheme : AgentIdentity.CertificateScheme)
            .AddJwtBearer();
        services.AddOptions<JwtBearerOptions>(JwtBearerDefaults.AuthenticationScheme)
            .Configure<IOptions<AuthenticationOptions>, IOptions<ClaimsOptions>>((jwt, options, claims) => Configure(jwt, options.Value, new ClaimsMapping(claims.Value)))
            // By default a key that the issuer withdrew goes on to count for an hour: the last set of keys that a token was good with is kept.
            .PostConfigure(jwt => ((BaseConfigurationManager)jwt.ConfigurationManager!).UseLastKnownGoodConfiguration = false);
        // After Hosting's own, so that what breaks in here is still mapped.
        services.PostConfigure<GrpcServiceOptions>(grpc => grpc.Interceptors.Add<AuthorizationInterceptor>());
        return services;
    }

    /// <summary>Who asks for a token is told where to get one (RFC 9728): kpictl login needs no configuration.</summary>
    public static void MapIssuer(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/.well-known/oauth-protected-resource", (IOptions<AuthenticationOptions> options) => new Dictionary<string, object>
        {
            ["resource"] = options.Value.Audience,
            ["authorization_servers"] = new[] { options.Value.Issuer },
            ["bearer_methods_supported"] = new[] { "header" },
        });

    private static void Configure(JwtBearerOptions jwt, AuthenticationOptions options, ClaimsMapping claims)
    {
        jwt.Authority = options.Issuer;
        jwt.RequireHttpsMetadata = options.Issuer.StartsWith("https:", StringComparison.Ordinal);
        jwt.MapInboundClaims = false;
        jwt.AutomaticRefreshInterval = TimeSpan.FromSeconds(options.KeysMaxAgeSeconds);
        jwt.RefreshInterval = TimeSpan.FromSeconds(options.KeysRetrySeconds);
        jwt.Events = new JwtBearerEvents { OnTokenValidated = validated => Map(validated, claims), OnAuthenticationFailed = NoteIssuerAwayAsync };
        jwt.TokenValidationParameters.ValidIssuer = options.Issuer;
        jwt.TokenValidationParameters.ValidAudience = options.Audience;
        jwt.TokenValidationParameters.ValidTypes = options.AcceptedTypes;
        jwt.TokenValidationParameters.ValidAlgorithms = ["RS256", "PS256", "ES256", "ES384"];
        jwt.TokenValidationParameters.RequireExpirationTime = true;
        jwt.TokenValidationParameters.ClockSkew = TimeSpan.FromSeconds(options.ClockSkewSeconds);
    }

    // Without keys every token looks like a forged one. Its sender must not be told to get another: that is the issuer's outage.
    private static async Task NoteIssuerAwayAsync(AuthenticationFailedContext failed)
    {
        if (failed.Exception is not SecurityTokenSignatureKeyNotFoundException)
            return;
        try
        {
            await failed.Options.ConfigurationManager!.GetConfigurationAsync(failed.HttpContext.RequestAborted);
        }
        catch (InvalidOperationException) // what it makes of every failure to fetch them, where it never had any
        {
            failed.HttpContext.Features.Set(new IssuerAway());
        }
    }

    private static Task Map(TokenValidatedContext validated, ClaimsMapping claims)
    {
        // RFC 7515, 4.1.11: what must be understood is not, and the library does not look.
        if (validated.SecurityToken is JsonWebToken jwt && jwt.TryGetHeaderValue<object>("crit", out _))
            validated.Fail("The token asks for extensions that are not known here.");
        else if (claims.Map(validated.Principal!) is { } mapped)
            validated.Principal = mapped;
        else
            validated.Fail("The token does not say who calls.");
        return Task.CompletedTask;
    }
}

/// <summary>A feature of requests whose token could not be verified because the issuer's keys were never read.</summary>
internal sealed record IssuerAway;
