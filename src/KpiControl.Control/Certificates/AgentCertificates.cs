using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Threading.RateLimiting;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Hosting;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Certificates;

/// <summary>Signs agents' certificates, the first and the next, and says of each caller whether it still counts.</summary>
internal sealed partial class AgentCertificates(CertificateAuthority authority, CertificateStore store, IOptions<CaOptions> options, ILogger<AgentCertificates> logger) : IDisposable
{
    // Whoever has no token costs a look-up by its hash; a flood of them must not cost the others their database.
    private readonly TokenBucketRateLimiter _enrolments = new(new TokenBucketRateLimiterOptions
    {
        TokenLimit = 50, TokensPerPeriod = 10, ReplenishmentPeriod = TimeSpan.FromMilliseconds(500), QueueLimit = 0,
    });

    public async Task<AgentCertificate> EnrolAsync(EnrollRequest request, CancellationToken token)
    {
        DemandKey();
        using var permit = _enrolments.AttemptAcquire();
        if (!permit.IsAcquired)
            throw Reject.Busy("Too many enrolments at once; try again.");
        var key = SigningRequest.Key(request.CertificateRequest);
        var answer = new AgentCertificate();
        var outcome = AgentUri.IsName(request.Agent)
            ? await store.EnrolAsync(new EnrolmentToken(request.Token).Hash, request.Agent, SHA256.HashData(key.ExportSubjectPublicKeyInfo()), options.Value.Lifetime, terms => Sign(key, terms, answer), token)
            : EnrolmentOutcome.Refused;
        if (outcome == EnrolmentOutcome.NameTaken)
            throw Reject.Exists("AGENT_ENROLLED", $"The agent '{request.Agent}' is enrolled, and this token is for new names alone: ask for a token in this very name.");
        if (outcome == EnrolmentOutcome.Refused)
            throw Reject.Unauthenticated("The enrolment token was not accepted: it is unknown, used, expired, revoked, or for another agent.");
        Log.Enrolled(logger, answer.Agent, answer.Region, answer.ExpiresAt.ToDateTimeOffset());
        return answer;
    }

    public async Task<AgentCertificate> RenewAsync(RenewRequest request, AgentIdentity identity, CancellationToken token)
    {
        DemandKey();
        var current = identity.Certificate!;
        var key = SigningRequest.Key(request.CertificateRequest);
        var answer = new AgentCertificate();
        var asked = new RenewalRequest
        {
            Agent = identity.Agent, Region = identity.Region, NotBefore = current.NotBefore, NotAfter = current.NotAfter, Lifetime = options.Value.Lifetime, RenewableFor = options.Value.RenewableFor,
        };
        if (!await store.RenewAsync(asked, terms => Sign(key, terms, answer), token))
            throw Revoked(identity.Agent);
        Log.Renewed(logger, answer.Agent, answer.ExpiresAt.ToDateTimeOffset());
        return answer;
    }

    /// <summary>The identity with its tenants, where the agent is let in at all.</summary>
    public async Task<AgentIdentity> AdmitAsync(AgentIdentity identity, CancellationToken token)
    {
        var standing = await store.StandingAsync(identity.Agent, token);
        if (standing?.ShutsOut(identity.Certificate) == true)
            throw Revoked(identity.Agent);
        if (identity.Certificate is null)
            return identity;
        if (standing is not { Region: { } region, Tenants: { } tenants })
            throw Reject.Unauthenticated($"Nothing is known of the agent '{identity.Agent}': it must be enrolled, or registered by an operator (kpictl agents register).");
        if (region != identity.Region)
            throw Reject.Denied($"region '{identity.Region}' (the agent is registered for region '{region}')");
        return identity with { Tenants = tenants };
    }

    public static Exception Revoked(string agent) =>
        Reject.Unauthenticated($"The agent '{agent}' was revoked, or enrolled anew since its certificate was signed: it must be enrolled again.");

    private string Sign(PublicKey key, CertificateTerms terms, AgentCertificate answer)
    {
        using var certificate = authority.Sign(key, new AgentUri(terms.Region, terms.Agent), terms.NotBefore, terms.NotAfter);
        (answer.Certificate, answer.Chain, answer.Agent, answer.Region) = (certificate.ExportCertificatePem(), authority.Chain, terms.Agent, terms.Region);
        answer.ExpiresAt = Timestamp.FromDateTimeOffset(new DateTimeOffset(certificate.NotAfter.ToUniversalTime()));
        answer.Tenants.AddRange(terms.Tenants);
        return certificate.SerialNumber;
    }

    private void DemandKey()
    {
        if (!authority.Signs)
            throw Reject.Precondition("NO_CERTIFICATE_AUTHORITY", "ca", "This control plane signs no certificates (Ca:KeyFile is not set): agents bring theirs from the authority that it trusts, and an operator registers them.");
    }

    public void Dispose() => _enrolments.Dispose();

    private static partial class Log
    {
        [LoggerMessage(EventId = 181, Level = LogLevel.Information, Message = "Agent {Agent} is enrolled in region {Region}; its certificate ends {ExpiresAt:O}")]
        public static partial void Enrolled(ILogger logger, string agent, string region, DateTimeOffset expiresAt);

        [LoggerMessage(EventId = 182, Level = LogLevel.Information, Message = "Agent {Agent} renewed its certificate, which ends {ExpiresAt:O}")]
        public static partial void Renewed(ILogger logger, string agent, DateTimeOffset expiresAt);
    }
}
