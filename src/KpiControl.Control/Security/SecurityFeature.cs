using Grpc.AspNetCore.Server;
using KpiControl.Control.Hosting;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Security;

internal static class SecurityFeature
{
    private const string ByConnection = "ByConnection";

    public static IServiceCollection AddCallerSecurity(this IServiceCollection services)
    {
        services.AddValidated<AuthenticationOptions>(AuthenticationOptions.Section);
        // Whoever came with a certificate is who it says, whatever token is sent beside it.
        services.AddAuthentication(ByConnection)
            .AddPolicyScheme(ByConnection, null, scheme => scheme.ForwardDefaultSelector = context =>
                context.Connection.ClientCertificate is null ? JwtBearerDefaults.AuthenticationScheme : AgentIdentity.CertificateScheme)
            .AddJwtBearer();
        services.AddOptions<JwtBearerOptions>(JwtBearerDefaults.AuthenticationScheme)
            .Configure<IOptions<AuthenticationOptions>>((jwt, options) => Configure(jwt, options.Value));
        // After Hosting's own, so that what breaks in here is still mapped.
        services.PostConfigure<GrpcServiceOptions>(grpc => grpc.Interceptors.Add<AuthorizationInterceptor>());
        return services;
    }

    private static void Configure(JwtBearerOptions jwt, AuthenticationOptions options)
    {
        jwt.Authority = options.Issuer;
        jwt.RequireHttpsMetadata = options.Issuer.StartsWith("https:", StringComparison.Ordinal);
        jwt.MapInboundClaims = false;
        jwt.TokenValidationParameters.ValidIssuer = options.Issuer;
        jwt.TokenValidationParameters.ValidAudience = options.Audience;
        jwt.TokenValidationParameters.ValidTypes = ["at+jwt", "JWT"];
        jwt.TokenValidationParameters.ValidAlgorithms = ["RS256", "PS256", "ES256", "ES384"];
        jwt.TokenValidationParameters.RequireExpirationTime = true;
        jwt.TokenValidationParameters.ClockSkew = TimeSpan.FromSeconds(options.ClockSkewSeconds);
    }
}
