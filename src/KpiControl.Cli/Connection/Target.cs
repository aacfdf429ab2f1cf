using System.CommandLine;
using KpiControl.Cli.Login;
using KpiControl.Cli.Options;

namespace KpiControl.Cli.Connection;

/// <summary>Whom to ask, as whom, about which tenant and environment. Flags beat variables, variables beat the context.</summary>
internal sealed record Target(Uri Server, string ServerSource, string? Token, string TokenSource, string? Tenant, string? Environment)
{
    public const string LoginSource = "kpictl login";

    /// <summary>Whose token it is, where nothing else says one.</summary>
    public SavedLogin? Login { get; private init; }

    public static Target Resolve(Surroundings world, ParseResult parsed, bool withLogin = true)
    {
        var context = ContextFile.Find(world, parsed.GetValue(SharedOptions.Context) ?? world.Set("KPICTL_CONTEXT"));
        var (server, source) = First(
            (parsed.GetValue(SharedOptions.Server), "--server"), (world.Set("KPICTL_SERVER"), "KPICTL_SERVER"),
            (context?.Server, $"context {context?.Name}"), (world.Set("KPI_GRPC"), "KPI_GRPC"));
        if (server is null)
            throw new Refusal("no control plane to talk to", "set KPICTL_SERVER=https://host:port, or eval \"$(./dev env)\" beside a running ./dev up");
        var address = ServerAddress.Parse(server, source);
        var (token, tokenSource) = TokenFor(address, source, context, world);
        var login = token is null && withLogin ? LoginFile.Read(world, address) : null;
        if (login is not null)
            (token, tokenSource) = (login.AccessToken, LoginSource);
        return new Target(address, source, token, tokenSource,
            First((parsed.GetValue(SharedOptions.Tenant), ""), (world.Set("KPICTL_TENANT"), ""), (context?.Tenant, ""), (TokenClaims.Of(token).OnlyTenant, "")).Value,
            First((parsed.GetValue(SharedOptions.Environment), ""), (world.Set("KPICTL_ENV"), ""), (context?.Environment, "")).Value)
        { Login = login };
    }

    // A context's token goes to that context's server alone, and KPI_TOKEN never to a context's server:
    // a --server from a pasted command line must not collect the production token.
    private static (string? Token, string Source) TokenFor(Uri address, string serverSource, KpictlContext? context, Surroundings world)
    {
        if (world.Set("KPICTL_TOKEN") is { } given)
            return (given, "KPICTL_TOKEN");
        var isContexts = context?.Server is { } own && ServerAddress.Parse(own, $"context {context.Name}") == address;
        if (isContexts && context!.Token is { } reference)
            return (TokenReference.Resolve(reference, $"context {context.Name}", world), $"context {context.Name}, {reference}");
        return serverSource.StartsWith("context ", StringComparison.Ordinal) ? (null, "") : (world.Set("KPI_TOKEN"), "KPI_TOKEN");
    }

    private static (string? Value, string Source) First(params ReadOnlySpan<(string? Value, string Source)> candidates)
    {
        foreach (var candidate in candidates)
            if (!string.IsNullOrEmpty(candidate.Value))
                return candidate;
        return (null, "");
    }
}
