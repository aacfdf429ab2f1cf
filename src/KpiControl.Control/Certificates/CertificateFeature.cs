using System.Security.Cryptography.X509Certificates;
using KpiControl.Control.Hosting;
using KpiControl.Control.Security;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Certificates;

internal static class CertificateFeature
{
    private static readonly string[] Open = ["/kpicontrol.v1.AgentService/", "/kpicontrol.v1.WitnessService/", "/grpc.health.v1.Health/"];

    public static IServiceCollection AddCertificates(this IServiceCollection services)
    {
        services.AddValidated<CaOptions>(CaOptions.Section);
        services.AddOptions<ListenOptions>().Validate<IOptions<CaOptions>>((listen, ca) => listen.Agents.Length == 0 || ca.Value.HasAuthorities,
            "Listen:Agents is set, but not who signs agents' certificates: set Ca:CertificateFile");
        services.AddSingleton(p => CertificateAuthority.Load(p.GetRequiredService<IOptions<CaOptions>>().Value));
        services.AddSingleton<AgentTrust>().AddSingleton<CertificateStore>().AddSingleton<AgentCertificates>();
        services.AddAuthentication().AddScheme<AuthenticationSchemeOptions, CertificateAuthentication>(AgentIdentity.CertificateScheme, null);
        services.AddSingleton<ClientCertificateCheck>(p => (certificate, chain) => p.GetRequiredService<AgentTrust>().Accepts(certificate, chain));
        return services;
    }

    /// <summary>The agents' address serves agents and probes, whatever else the process serves.</summary>
    public static void UseAgentsDoor(this WebApplication app) => app.Use((context, next) =>
    {
        if (context.Connection.ClientCertificate is null || Open.Any(service => context.Request.Path.StartsWithSegments(service.TrimEnd('/'), StringComparison.Ordinal)))
            return next(context);
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    });
}
