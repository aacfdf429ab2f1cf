using System.Text.Encodings.Web;
using KpiControl.Control.Security;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Certificates;

/// <summary>Who calls on the agents' address: the handshake has proven the key, the certificate says the name.</summary>
internal sealed class CertificateAuthentication(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder, AgentTrust trust) : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(
        Context.Connection.ClientCertificate is { } certificate && AgentUri.Of(certificate) is { } agent
            ? AuthenticateResult.Success(new AuthenticationTicket(AgentIdentity.Of(agent, trust.Facts(certificate)), Scheme.Name))
            : AuthenticateResult.NoResult());
}
