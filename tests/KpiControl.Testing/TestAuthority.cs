using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace KpiControl.Testing;

/// <summary>A certificate authority of a test, with its files, and certificates of every kind, the wrong ones too. Gone with the test.</summary>
public sealed class TestAuthority : IDisposable
{
    public const string Clients = "1.3.6.1.5.5.7.3.2", Servers = "1.3.6.1.5.5.7.3.1";
    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 root;
    private readonly string directory = Directory.CreateTempSubdirectory("kpi-ca-").FullName;

    public TestAuthority()
    {
        var request = new CertificateRequest("CN=test authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        root = request.CreateSelfSigned(Now.AddDays(-60), Now.AddDays(60));
        Write(CertificateFile, root.ExportCertificatePem());
        Write(KeyFile, key.ExportPkcs8PrivateKeyPem());
        using var server = Issue(null, Servers);
        Write(ServerCertificateFile, server.ExportCertificatePem());
        Write(ServerKeyFile, server.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
    }

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    public string CertificateFile => Path.Combine(directory, "ca.pem");
    public string KeyFile => Path.Combine(directory, "ca.key");
    public string ServerCertificateFile => Path.Combine(directory, "server.pem");
    public string ServerKeyFile => Path.Combine(directory, "server.key");

    /// <summary>A node with a door for agents: TLS on every port.</summary>
    public (string Key, string Value)[] Settings(bool signs = true) =>
    [
        ("Listen:Grpc", "https://127.0.0.1:0"), ("Listen:Rest", "https://127.0.0.1:0"), ("Listen:Agents", "https://127.0.0.1:0"),
        ("Listen:CertificateFile", ServerCertificateFile), ("Listen:CertificateKeyFile", ServerKeyFile), ("Ca:CertificateFile", CertificateFile), ("Ca:KeyFile", signs ? KeyFile : ""),
    ];

    /// <summary>A certificate with a key of its own, valid from now for an hour unless said otherwise; without usage where <paramref name="usage"/> is empty.</summary>
    public X509Certificate2 Issue(string? uri, string usage = Clients, TimeSpan? from = null, TimeSpan? until = null)
    {
        using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=issued", own, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        if (uri is not null)
            names.AddUri(new Uri(uri));
        request.CertificateExtensions.Add(names.Build());
        if (usage.Length > 0)
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        using var issued = request.Create(root.SubjectName, X509SignatureGenerator.CreateForECDsa(key), Now + (from ?? TimeSpan.FromMinutes(-1)), Now + (until ?? TimeSpan.FromHours(1)), RandomNumberGenerator.GetBytes(8));
        return issued.CopyWithPrivateKey(ECDsa.Create(own.ExportParameters(true)));
    }

    public SocketsHttpHandler Handler(X509Certificate2? client = null)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.Add(root);
        var handler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true };
        handler.SslOptions.CertificateChainPolicy = policy;
        if (client is not null)
            handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => client;
        return handler;
    }

    private static void Write(string path, string text)
    {
        File.WriteAllText(path, text);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    public void Dispose()
    {
        root.Dispose();
        key.Dispose();
        Directory.Delete(directory, recursive: true);
    }
}
