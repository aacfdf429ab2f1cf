using System.Net;
using System.Net.Sockets;

namespace KpiControl.Jobs.Calls;

/// <summary>
/// Where a call to a configured name may lead: asked after the name was resolved, and connected to as it was asked, since what a
/// name says is its owner's choice of the moment. One rule for an agent's connections and the control plane's alerts.
/// </summary>
public static class CallableAddresses
{
    // Clouds hand out credentials at these, beside the link-local one.
    private static readonly IPAddress[] Metadata = [IPAddress.Parse("100.100.100.200"), IPAddress.Parse("192.0.0.192"), IPAddress.Parse("168.63.129.16"), IPAddress.Parse("fd20:ce::254")];

    // All of Amazon's services that an instance or a pod finds at a fixed place.
    private static readonly IPNetwork AmazonsOwn = IPNetwork.Parse("fd00:ec2::/32");

    // Where the last four bytes are an IPv4 address that is called in the end: compatible, translated (NAT64 and its local prefix).
    private static readonly IPNetwork[] Wrapping = [IPNetwork.Parse("::/96"), IPNetwork.Parse("64:ff9b::/96"), IPNetwork.Parse("64:ff9b:1::/48")];
    private static readonly IPNetwork SixToFour = IPNetwork.Parse("2002::/16");

    /// <returns>The rest of a sentence <c>NAME leads to …</c>; null where all of the addresses may be called.</returns>
    public static string? Refusal(string host, IEnumerable<IPAddress> found)
    {
        var plain = found.Select(Plain).ToList();
        return plain.Any(IsNeverCalled) ? "a link-local or metadata address, which is never called"
            : plain.Any(IPAddress.IsLoopback) && !NamesLoopback(host) ? "this machine itself: whoever means it says localhost, 127.0.0.1 or ::1"
            : null;
    }

    /// <summary>The text itself says loopback. Not Uri.IsLoopback: that takes the name "loopback" too, which may be any machine.</summary>
    public static bool NamesLoopback(string host) =>
        host == "localhost" || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));

    private static IPAddress Plain(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            return address.MapToIPv4();
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || address.Equals(IPAddress.IPv6Loopback) || address.Equals(IPAddress.IPv6Any))
            return address;
        return Wrapping.Any(network => network.Contains(address)) ? new IPAddress(address.GetAddressBytes().AsSpan(12))
            : SixToFour.Contains(address) ? new IPAddress(address.GetAddressBytes().AsSpan(2, 4)) : address;
    }

    private static bool IsNeverCalled(IPAddress address) =>
        AmazonsOwn.Contains(address) || address.IsIPv6LinkLocal || address.IsIPv6Multicast || address.Equals(IPAddress.IPv6Any) || Metadata.Contains(address)
        || (address.AddressFamily == AddressFamily.InterNetwork && address.GetAddressBytes() is [0, ..] or [169, 254, ..] or [>= 224, ..]);
}
