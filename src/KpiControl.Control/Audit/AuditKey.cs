using System.Security.Cryptography;
using KpiControl.Jobs.Evidence;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Audit;

/// <summary>The key that signs, where there is one; read when it is first wanted, when all settings were looked at.</summary>
internal sealed class AuditKey(IOptions<AuditOptions> options) : IDisposable
{
    private readonly Lazy<ECDsa?> key = new(() => Load(options.Value.SigningKeyFile));
    private readonly Lazy<IReadOnlyList<ECDsa>> former = new(() => [.. options.Value.FormerKeyFiles.Select(Load).OfType<ECDsa>()]);

    public bool Signs => key.Value is not null;

    /// <summary>Empty where nothing is signed.</summary>
    public string Id => key.Value is { } signing ? ChainSignature.IdOf(signing) : "";

    /// <summary>For auditors, in PEM; empty where nothing is signed.</summary>
    public string PublicPem => key.Value?.ExportSubjectPublicKeyInfoPem() ?? "";

    /// <summary>The one that signs and those before it, by which older checkpoints are verified.</summary>
    public IReadOnlyList<ECDsa> ThatSigned => key.Value is { } signing ? [signing, .. former.Value] : former.Value;

    public byte[] Sign(byte[] toSign)
    {
        if (key.Value is not { } signing)
            return [];
        // One at a time: the framework does not promise more of an instance.
        lock (signing)
            return ChainSignature.Sign(signing, toSign);
    }

    public void Dispose()
    {
        if (key.IsValueCreated)
            key.Value?.Dispose();
        if (former.IsValueCreated)
            foreach (var one in former.Value)
                one.Dispose();
    }

    private static ECDsa? Load(string file)
    {
        if (file.Length == 0)
            return null;
        var key = ECDsa.Create();
        key.ImportFromPem(File.ReadAllText(file));
        return key;
    }
}
