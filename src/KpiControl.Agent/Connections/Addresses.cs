using System.Net;
using System.Net.Sockets;
using KpiControl.Jobs.Calls;

namespace KpiControl.Agent.Connections;

/// <summary>A connection's name, resolved to where it may lead.</summary>
internal static class Addresses
{
    /// <exception cref="AddressRefusedException">The name leads where no connection goes.</exception>
    /// <exception cref="SocketException">It cannot be resolved.</exception>
    public static async Task<IPAddress[]> ResolveAsync(string host, CancellationToken token)
    {
        var found = await Dns.GetHostAddressesAsync(host, token);
        return CallableAddresses.Refusal(host, found) is { } why ? throw new AddressRefusedException(why) : found;
    }
}

/// <summary>The endpoint's name leads where no connection goes; the message is the rest of <c>leads to …</c>.</summary>
internal sealed class AddressRefusedException(string message) : IOException(message);
