using System.Security.Cryptography.X509Certificates;

namespace KpiControl.Agent.ControlPlane;

/// <summary>The agent's certificate with its key, and what lies between it and the root.</summary>
internal sealed record ClientCertificate(X509Certificate2 Leaf, X509Certificate2Collection Chain)
{
    public DateTimeOffset ExpiresAt => new(Leaf.NotAfter.ToUniversalTime());

    /// <summary>Two thirds of its life.</summary>
    public DateTimeOffset RenewAt
    {
        get
        {
            var from = new DateTimeOffset(Leaf.NotBefore.ToUniversalTime());
            return from + (ExpiresAt - from) * 2 / 3;
        }
    }

    public static ClientCertificate Of(string certificatePem, string keyPem)
    {
        var leaf = X509Certificate2.CreateFromPem(certificatePem, keyPem);
        var all = new X509Certificate2Collection();
        all.ImportFromPem(certificatePem);
        return new ClientCertificate(leaf, [.. all.Skip(1)]);
    }
}
