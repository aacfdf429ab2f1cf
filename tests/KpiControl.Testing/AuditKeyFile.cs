using System.Security.Cryptography;

namespace KpiControl.Testing;

/// <summary>A key that signs the chain, made for one test and gone with it.</summary>
public sealed class AuditKeyFile : IDisposable
{
    public AuditKeyFile()
    {
        using var made = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        File.WriteAllText(Path, made.ExportPkcs8PrivateKeyPem());
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        PublicPem = made.ExportSubjectPublicKeyInfoPem();
    }

    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"kpi-audit-key-{Guid.NewGuid():n}");

    public string PublicPem { get; }

    public void Dispose() => File.Delete(Path);
}
