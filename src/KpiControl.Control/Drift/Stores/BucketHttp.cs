using System.Security.Cryptography.X509Certificates;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Drift.Stores;

/// <summary>How a store's HTTP is spoken: only to what the settings name, trusting the system's authorities and the store's own.</summary>
internal static class BucketHttp
{
    public static HttpClient Client(StoreSettings settings)
    {
        var handler = CalledAddress.Handler();
        handler.ConnectTimeout = TimeSpan.FromSeconds(10);
        if (settings.CaFile.Length > 0)
            handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, chain, problems) => problems == System.Net.Security.SslPolicyErrors.None
                || (problems == System.Net.Security.SslPolicyErrors.RemoteCertificateChainErrors && certificate is X509Certificate2 shown && CertificateFile.VouchesFor(settings.CaFile, shown, chain));
        // The pass bounds the time.
        return new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }
}
