using System.Net;
using System.Net.Sockets;
using KpiControl.Jobs.Calls;

namespace KpiControl.Control.Hosting;

/// <summary>A configured name, connected to where it may lead.</summary>
internal static class CalledAddress
{
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
