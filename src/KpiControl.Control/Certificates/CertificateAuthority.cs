using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using KpiControl.Control.Security;

namespace KpiControl.Control.Certificates;

/// <summary>The authorities that agents' certificates come from, and the key of one of them where it is at hand.</summary>
internal sealed class CertificateAuthority : IDisposable
{
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";
    private readonly X509Certificate2? signer;

    private CertificateAuthority(X509Certificate2Collection authorities, X509Certificate2? signer) => (Authorities, this.signer) = (authorities, signer);

    public X509Certificate2Collection Authorities { get; }

    public bool Signs => signer is not null;

    /// <summary>PEM of the signing authority where it is none of the roots: whoever checks a certificate needs it.</summary>
    public string Chain => signer is null || IsRoot(signer) ? "" : signer.ExportCertificatePem();

    /// <exception cref="CryptographicException">The files hold no certificates, or the key is none of theirs.</exception>
    public static CertificateAuthority Load(CaOptions options)
    {
        var authorities = new X509Certificate2Collection();
        if (options.HasAuthorities)
            authorities.ImportFromPemFile(options.CertificateFile);
        if (options.HasAuthorities && !authorities.Any(IsRoot))
            throw new CryptographicException($"'{options.CertificateFile}' holds no self-signed authority; put the root of the chain into it");
        if (authorities.FirstOrDefault(a => !MaySign(a)) is { } plain)
            throw new CryptographicException($"'{options.CertificateFile}' holds {plain.Subject}, which is no authority (basic constraints, key usage)");
        return new CertificateAuthority(authorities, options.KeyFile.Length > 0 ? Signer(authorities, options) : null);
    }

    /// <summary>Signs what the control plane says of an agent over the agent's public key.</summary>
    public X509Certificate2 Sign(PublicKey key, AgentUri agent, DateTimeOffset notBefore, DateTimeOffset notAfter)
    {
        var name = new X500DistinguishedNameBuilder();
        name.AddCommonName(agent.Agent.Length <= 64 ? agent.Agent : agent.Agent[..64]);
        var request = new CertificateRequest(name.Build(), key, HashAlgorithmName.SHA256);
        var alternative = new SubjectAlternativeNameBuilder();
        alternative.AddUri(new Uri(agent.ToString()));
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ClientAuthentication)], true));
        request.CertificateExtensions.Add(alternative.Build());
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(key, false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(signer!, true, false));
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = (byte)(serial[0] & 0x7f | 0x40);
        var last = new DateTimeOffset(signer!.NotAfter.ToUniversalTime());
        return request.Create(signer.SubjectName, Generator(signer), notBefore, notAfter < last ? notAfter : last, serial);
    }

    /// <summary>Whether it is for clients, and says so: no usage at all would be every usage.</summary>
    public static bool IsForClients(X509Certificate2 certificate) =>
        certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>().Any(usage => usage.EnhancedKeyUsages.Cast<Oid>().Any(oid => oid.Value == ClientAuthentication));

    public static bool IsRoot(X509Certificate2 certificate) => certificate.SubjectName.RawData.AsSpan().SequenceEqual(certificate.IssuerName.RawData);

    private static X509Certificate2 Signer(X509Certificate2Collection authorities, CaOptions options)
    {
        var pem = File.ReadAllText(options.KeyFile);
        foreach (var authority in authorities)
            if (TryJoin(authority, pem) is { } signer)
                return signer;
        throw new CryptographicException($"the key in '{options.KeyFile}' is that of no certificate in '{options.CertificateFile}', or is no ECDSA or RSA key in PEM");
    }

    private static X509Certificate2? TryJoin(X509Certificate2 authority, string pem)
    {
        try
        {
            return X509Certificate2.CreateFromPem(authority.ExportCertificatePem(), pem);
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            return null;
        }
    }

    private static bool MaySign(X509Certificate2 certificate) =>
        certificate.Extensions.OfType<X509BasicConstraintsExtension>().Any(b => b.CertificateAuthority)
        && certificate.Extensions.OfType<X509KeyUsageExtension>().All(u => u.KeyUsages.HasFlag(X509KeyUsageFlags.KeyCertSign));

    private static X509SignatureGenerator Generator(X509Certificate2 signer) =>
        signer.GetECDsaPrivateKey() is { } ec ? X509SignatureGenerator.CreateForECDsa(ec) : X509SignatureGenerator.CreateForRSA(signer.GetRSAPrivateKey()!, RSASignaturePadding.Pkcs1);

    public void Dispose()
    {
        signer?.Dispose();
        foreach (var authority in Authorities)
            authority.Dispose();
    }
}
