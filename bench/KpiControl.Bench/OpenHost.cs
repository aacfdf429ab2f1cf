using System.Security.Claims;
using System.Text.Encodings.Web;
using Dapper;
using Grpc.AspNetCore.Server;
using KpiControl.Control.Security;
using KpiControl.Testing;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace KpiControl.Bench;

/// <summary>
/// The control plane without its guards, which only the bench can compose: no token is verified, no method asks who calls, and
/// the database's policies are dropped. Who calls is written in the Authorization header in plain words.
/// </summary>
internal static class OpenHost
{
    private const string Scheme = "Open";

    public static async Task<ControlHost> StartAsync(TestDatabase database, TestIssuer issuer)
    {
        await using (var connection = await database.OpenAsync())
            await connection.ExecuteAsync(DropPoliciesSql);
        return await ControlHost.StartAsync(database, issuer, services =>
        {
            services.AddAuthentication().AddScheme<AuthenticationSchemeOptions, SayWhoYouAre>(Scheme, null);
            services.PostConfigure<Microsoft.AspNetCore.Authentication.AuthenticationOptions>(options => options.DefaultScheme = options.DefaultAuthenticateScheme = Scheme);
            services.PostConfigure<GrpcServiceOptions>(grpc =>
            {
                foreach (var guard in grpc.Interceptors.Where(i => i.Type == typeof(AuthorizationInterceptor)).ToList())
                    grpc.Interceptors.Remove(guard);
            });
        });
    }

    private const string DropPoliciesSql = """
        DO $open$
        DECLARE t regclass;
        BEGIN
          FOR t IN SELECT oid FROM pg_class WHERE relrowsecurity LOOP
            EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', t);
            EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', t);
          END LOOP;
        END
        $open$;
        """;

    private sealed class SayWhoYouAre(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
    {
        private static readonly ClaimsPrincipal Person = Principal(("sub", "ann"), ("kpi_roles", "acme/*/admin"));
        private static readonly ClaimsPrincipal Agent = Principal(("sub", "bench"), ("kpi_agent", "bench"), ("kpi_region", "eu"), ("kpi_tenants", "acme"));

        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(
            Request.Path.StartsWithSegments("/kpicontrol.v1.AgentService", StringComparison.Ordinal) ? Agent : Person, Scheme.Name)));

        private static ClaimsPrincipal Principal(params (string Type, string Value)[] claims) =>
            new(new ClaimsIdentity(claims.Select(c => new Claim(c.Type, c.Value)), OpenHost.Scheme));
    }
}
