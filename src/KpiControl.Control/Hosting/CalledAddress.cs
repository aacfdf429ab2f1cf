using System.Net;
using System.Net.Sockets;
using KpiControl.Jobs.Calls;

namespace KpiControl.Control.Hosting;

/// <summary>A configured name, connected to where it may lead.</summary>
internal static class CalledAddress
{
    /// <summary>Of HTTP that calls what the settings name: no redirect is followed, another host is one that nobody configured.</summary>
    public static SocketsHttpHandler Handler() => new()
    {
        AllowAutoRedirect = false, UseProxy = false, UseCookies = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        ConnectCallback = async (context, token) => new NetworkStream(await ConnectAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, token), ownsSocket: true),
    };

    /// <exception cref="IOException">It leads where nothing is called.</exception>
    public static async Task<Socket> ConnectAsync(string host, int port, CancellationToken token)
    {
        var found = await Dns.GetHostAddressesAsync(host, token);
        if (CallableAddresses.Refusal(host, found) is { } why)
            throw new IOException($"{host} leads to {why}");
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(found, port, token);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
