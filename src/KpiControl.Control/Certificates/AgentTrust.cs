using System.Security.Cryptography.X509Certificates;
using KpiControl.Control.Security;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Certificates;

/// <summary>Which client certificates pass the handshake. Whether the agent was revoked is asked of the database, at each call.</summary>
internal sealed partial class AgentTrust(CertificateAuthority authority, IOptions<CaOptions> options, TimeProvider time, ILogger<AgentTrust> logger)
{
    /// <param name="presented">What else the agent sent, to build the chain with.</param>
    public bool Accepts(X509Certificate2 certificate, X509Chain? presented)
    {
        var problem = Problem(certificate, presented);
        if (problem is not null)
            Log.Refused(logger, certificate.Subject, certificate.SerialNumber, problem);
        return problem is null;
    }

    /// <summary>It has passed; it may have expired on the way, or be one that only renews.</summary>
    public CertificateFacts Facts(X509Certificate2 certificate)
    {
        var (from, until) = (Utc(certificate.NotBefore), Utc(certificate.NotAfter));
        return new CertificateFacts(from, until, until <= time.GetUtcNow());
    }

    private string? Problem(X509Certificate2 certificate, X509Chain? presented)
    {
        if (AgentUri.Of(certificate) is null)
            return "it names no region and agent";
        if (!CertificateAuthority.IsForClients(certificate))
            return "it is not for clients";
        var facts = Facts(certificate);
        var now = time.GetUtcNow();
        if (facts.NotBefore > now + options.Value.ClockSkew)
            return "it is not valid yet";
        if (facts.NotAfter <= now - options.Value.RenewableFor)
            return "it expired too long ago to be renewed";
        // Of one that expired, everything else must still hold.
        var instant = now < facts.NotBefore ? facts.NotBefore : now < facts.NotAfter ? now : facts.NotAfter.AddSeconds(-1);
        return ChainProblem(certificate, presented, instant, now);
    }

    private string? ChainProblem(X509Certificate2 certificate, X509Chain? presented, DateTimeOffset instant, DateTimeOffset now)
    {
        using var chain = new X509Chain();
        var policy = chain.ChainPolicy;
        (policy.TrustMode, policy.RevocationMode, policy.DisableCertificateDownloads) = (X509ChainTrustMode.CustomRootTrust, X509RevocationMode.NoCheck, true);
        policy.VerificationTime = instant.UtcDateTime;
        policy.CustomTrustStore.AddRange(authority.Authorities.Where(CertificateAuthority.IsRoot).ToArray());
        policy.ExtraStore.AddRange(authority.Authorities.Where(a => !CertificateAuthority.IsRoot(a)).ToArray());
        if (presented is not null)
            policy.ExtraStore.AddRange(presented.ChainPolicy.ExtraStore);
        if (!chain.Build(certificate))
            return string.Join(", ", chain.ChainStatus.Select(s => s.Status.ToString()));
        return chain.ChainElements.Skip(1).Any(e => Utc(e.Certificate.NotAfter) <= now) ? "its authority has expired" : null;
    }

    private static DateTimeOffset Utc(DateTime local) => new(local.ToUniversalTime());

    private static partial class Log
    {
        [LoggerMessage(EventId = 180, Level = LogLevel.Warning, Message = "A client certificate is refused ({Subject}, serial {Serial}): {Problem}")]
        public static partial void Refused(ILogger logger, string subject, string serial, string problem);
    }
}
