using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace KpiControl.Agent.Connections;

/// <summary>How this agent calls anything by HTTP: no redirects, no proxy, no address that is never called, certificates verified.</summary>
internal static class GuardedSockets
{
    /// <param name="connectTimeout">For the connection alone.</param>
    /// <param name="rootCertificate">PEM of the authorities that are trusted; null: the system's.</param>
    public static SocketsHttpHandler Make(TimeSpan connectTimeout, string? rootCertificate)
    {
        var sockets = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            // What is called stands in the agent's region. Behind a proxy nobody here would see where its name leads.
            UseProxy = false,
            ConnectTimeout = connectTimeout,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            ConnectCallback = ConnectAsync,
        };
        if (rootCertificate is { Length: > 0 } file)
            sockets.SslOptions.CertificateChainPolicy = Trusting(file);
        return sockets;
    }

    // A name is resolved here, so that what was checked is what is connected to.
    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken token)
    {
        var addresses = await Addresses.ResolveAsync(context.DnsEndPoint.Host, token);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, context.DnsEndPoint.Port, token);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static X509ChainPolicy Trusting(string file)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPemFile(file);
        return policy;
    }
}
