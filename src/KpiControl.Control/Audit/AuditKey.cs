using System.Security.Cryptography;
using KpiControl.Jobs.Evidence;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Audit;

/// <summary>The key that signs, where there is one.</summary>
internal sealed class AuditKey : IDisposable
{
    private readonly ECDsa? key;

    public AuditKey(IOptions<AuditOptions> options)
    {
        if (options.Value.SigningKeyFile.Length == 0)
            return;
        key = ECDsa.Create();
        key.ImportFromPem(File.ReadAllText(options.Value.SigningKeyFile));
        Id = ChainSignature.IdOf(key);
        PublicPem = key.ExportSubjectPublicKeyInfoPem();
    }

    public bool Signs => key is not null;

    /// <summary>Empty where nothing is signed.</summary>
    public string Id { get; } = "";

    /// <summary>For auditors, in PEM; empty where nothing is signed.</summary>
    public string PublicPem { get; } = "";

    public byte[] Sign(byte[] toSign)
    {
        if (key is null)
            return [];
        // One at a time: the framework does not promise more of an instance.
        lock (key)
            return ChainSignature.Sign(key, toSign);
    }

    public void Dispose() => key?.Dispose();
}
