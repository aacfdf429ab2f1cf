using KpiControl.Jobs.Calls;

namespace KpiControl.Agent.Connections;

/// <summary>What an endpoint's URL must be. Its text is not repeated: it may hold a credential.</summary>
internal static class Endpoints
{
    public sealed record Fault(string What, string Hint);

    public static Fault? Problem(string endpoint, Driver driver)
    {
        var schemes = driver is Driver.Http ? new[] { "https", "http" } : ["postgresql"];
        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out var url) || !schemes.Contains(url.Scheme) || url.Host.Length == 0)
            return new Fault("the endpoint is no URL of its driver", driver is Driver.Http ? "write `https://host:port/path`" : "write `postgresql://host:port/database`");
        if (url.UserInfo.Length > 0)
            return new Fault("the endpoint holds a credential", "take it out: the name goes to `user`, the secret behind a `credential` reference");
        if (driver is Driver.PostgreSql && url.AbsolutePath.Trim('/') is "" or { Length: > 63 })
            return new Fault("the endpoint names no database", "write `postgresql://host:port/database`");
        if (driver is Driver.Http && url.Scheme == "http" && !IsLoopback(url))
            return new Fault("the endpoint is not encrypted", "use https; plain http is for loopback alone");
        return null;
    }

    public static bool IsLoopback(Uri url) => CallableAddresses.NamesLoopback(url.Host);
}
