using KpiControl.Samples.Issuer;
using Microsoft.AspNetCore.Builder;

namespace KpiControl.Testing;

/// <summary>An OpenID issuer in this process: real discovery and keys over loopback, tokens with any claims.</summary>
public sealed class TestIssuer : IAsyncDisposable
{
    private readonly SigningKey key;
    private readonly WebApplication app;

    private TestIssuer(SigningKey key, WebApplication app) => (this.key, this.app) = (key, app);

    public string Url => IssuerServer.Url(app);

    public string Audience => SigningKey.Audience;

    public static async Task<TestIssuer> StartAsync(CancellationToken token = default)
    {
        var key = SigningKey.Create();
        return new TestIssuer(key, await IssuerServer.StartAsync(key, port: 0, token));
    }

    /// <summary>A token of one of the demo principals: admin, author, business, technical, auditor, operator, other-tenant, agent-eu, agent-us.</summary>
    public string Token(string principal = "admin") => Token(Principals.All[principal]);

    /// <summary>A token with exactly these claims; expired where <paramref name="lifetime"/> is negative.</summary>
    public string Token(IDictionary<string, object> claims, TimeSpan? lifetime = null, string audience = SigningKey.Audience) =>
        key.Token(Url, claims, lifetime ?? TimeSpan.FromHours(1), audience);

    /// <summary>A token of a person: roles as <c>tenant/environment/role</c>.</summary>
    public string PersonToken(string subject, params string[] roles) =>
        Token(new Dictionary<string, object> { ["sub"] = subject, ["kpi_roles"] = roles });

    public string AgentToken(string agent, string region, params string[] tenants) =>
        Token(new Dictionary<string, object>
        {
            ["sub"] = agent, ["kpi_agent"] = agent, ["kpi_region"] = region, ["kpi_tenants"] = tenants,
        });

    /// <summary>A well-formed token whose signature nobody served: what a forger can make.</summary>
    public string ForgedToken(string principal = "admin") =>
        SigningKey.Create().Token(Url, Principals.All[principal], TimeSpan.FromHours(1));

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
