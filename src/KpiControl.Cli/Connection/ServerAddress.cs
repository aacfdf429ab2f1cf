using System.Net;

namespace KpiControl.Cli.Connection;

/// <summary>Where the control plane is. A token never crosses a network in the clear, so plain HTTP/2 is for loopback alone.</summary>
internal static class ServerAddress
{
    public static Uri Parse(string text, string source)
    {
        var whole = text.Contains("://", StringComparison.Ordinal) ? text : $"{SchemeFor(text)}://{text}";
        if (!Uri.TryCreate(whole, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https")
            || address.Host.Length == 0 || address.UserInfo.Length > 0 || address.PathAndQuery != "/")
            throw new Refusal($"the server '{text}' ({source}) is not an address", "give https://host:port, or http://127.0.0.1:port on this machine");
        if (address.Scheme == "http" && !IsLoopback(address.Host))
            throw new Refusal($"the server {text} ({source}) is plain http and not on this machine: the token would be readable on the way", $"use https://{address.Authority}");
        return address;
    }

    private static string SchemeFor(string authority) =>
        Uri.TryCreate($"http://{authority}", UriKind.Absolute, out var address) && IsLoopback(address.Host) ? "http" : "https";

    public static bool IsLoopback(string host) =>
        host == "localhost" || (IPAddress.TryParse(host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));
}
