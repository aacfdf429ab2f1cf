using System.Net;
using System.Net.Sockets;

namespace KpiControl.Control.Alerts.Sending;

/// <summary>Which addresses are called, asked after a name was resolved and connected to as they were asked: a name's owner may change its mind.</summary>
internal static class CalledAddress
{
    // Clouds hand out credentials at these, beside the link-local one.
    private static readonly IPAddress[] Metadata = [IPAddress.Parse("100.100.100.200"), IPAddress.Parse("192.0.0.192"), IPAddress.Parse("fd00:ec2::254"), IPAddress.Parse("fd20:ce::254")];

    public static bool NamesLoopback(string host) =>
        host == "localhost" || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));

    /// <exception cref="IOException">It leads where nothing is called.</exception>
    public static async Task<Socket> ConnectAsync(string host, int port, CancellationToken token)
    {
        var found = await Dns.GetHostAddressesAsync(host, token);
        if (Refusal(host, found) is { } why)
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

    /// <summary>Null where all of them may be called.</summary>
    public static string? Refusal(string host, IEnumerable<IPAddress> found)
    {
        var plain = found.Select(one => one.IsIPv4MappedToIPv6 ? one.MapToIPv4() : one).ToList();
        return plain.Any(IsNeverCalled) ? "a link-local or metadata address, which is never called"
            : plain.Any(IPAddress.IsLoopback) && !NamesLoopback(host) ? "this machine itself"
            : null;
    }

    private static bool IsNeverCalled(IPAddress address) =>
        address.IsIPv6LinkLocal || address.IsIPv6Multicast || address.Equals(IPAddress.IPv6Any) || Metadata.Contains(address)
        || (address.AddressFamily == AddressFamily.InterNetwork && address.GetAddressBytes() is [0, ..] or [169, 254, ..] or [>= 224, ..]);
}
