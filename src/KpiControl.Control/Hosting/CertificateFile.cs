using System.Security.Cryptography.X509Certificates;

namespace KpiControl.Control.Hosting;

/// <summary>Authorities of a PEM file that the settings name, for one service that is called.</summary>
internal static class CertificateFile
{
    /// <summary>Whether one of them vouches for what a server showed; whose name is on it is the caller's to compare.</summary>
    /// <param name="sent">The certificates between, as the server sent them.</param>
    public static bool VouchesFor(string file, X509Certificate2 shown, X509Chain? sent = null)
    {
        using var chain = new X509Chain { ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck } };
        chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(file);
        foreach (var between in sent?.ChainElements.Select(element => element.Certificate) ?? [])
            chain.ChainPolicy.ExtraStore.Add(between);
        return chain.Build(shown);
    }
}
