using System.Net;
using System.Net.Sockets;

namespace KpiControl.Agent.Connections;

/// <summary>Which addresses a connection may lead to, asked after its name was resolved: what a name says is its owner's choice of the moment.</summary>
internal static class Addresses
{
    // Clouds hand out credentials at these, beside the link-local one.
    private static readonly IPAddress[] Metadata = [IPAddress.Parse("100.100.100.200"), IPAddress.Parse("192.0.0.192"), IPAddress.Parse("fd00:ec2::254"), IPAddress.Parse("fd20:ce::254")];

    /// <exception cref="AddressRefusedException">The name leads where no connection goes.</exception>
    /// <exception cref="SocketException">It cannot be resolved.</exception>
    public static async Task<IPAddress[]> ResolveAsync(string host, CancellationToken token)
    {
        var found = await Dns.GetHostAddressesAsync(host, token);
        return Refusal(host, found) is { } why ? throw new AddressRefusedException(why) : found;
    }

    /// <summary>Null where all of them may be called.</summary>
    public static string? Refusal(string host, IEnumerable<IPAddress> found)
    {
        var plain = found.Select(one => one.IsIPv4MappedToIPv6 ? one.MapToIPv4() : one).ToList();
        return plain.Any(IsNeverCalled) ? "a link-local or metadata address, which is never called"
            : plain.Any(IPAddress.IsLoopback) && !NamesLoopback(host) ? "this machine itself: a connection that means it says localhost, 127.0.0.1 or ::1"
            : null;
    }

    /// <summary>The text itself says loopback. Not Uri.IsLoopback: that takes the name "loopback" too, which may be any machine.</summary>
    public static bool NamesLoopback(string host) =>
        host == "localhost" || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));

    private static bool IsNeverCalled(IPAddress address) =>
        address.IsIPv6LinkLocal || address.IsIPv6Multicast || address.Equals(IPAddress.IPv6Any) || Metadata.Contains(address)
        || (address.AddressFamily == AddressFamily.InterNetwork && address.GetAddressBytes() is [0, ..] or [169, 254, ..] or [>= 224, ..]);
}

/// <summary>The endpoint's name leads where no connection goes; the message is the rest of <c>leads to …</c>.</summary>
internal sealed class AddressRefusedException(string message) : IOException(message);
