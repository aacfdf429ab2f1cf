using System.Collections.Concurrent;
using KpiControl.Samples.Issuer;
using Microsoft.AspNetCore.Builder;

namespace KpiControl.Testing;

/// <summary>An OpenID issuer in this process: real discovery and keys over loopback, tokens with any claims.</summary>
public sealed class TestIssuer : IAsyncDisposable
{
    // One for all issuers of the process, which their URLs tell apart: to make an RSA key is the dearest part of a start.
    private static readonly SigningKey Common = SigningKey.Create(), Forger = SigningKey.Create();

    private static readonly Lazy<Task<TestIssuer>> OfAll = new(async () =>
    {
        var issuer = await StartAsync();
        issuer.isOfAll = true;
        return issuer;
    });

    private readonly ConcurrentDictionary<string, string> people = new();
    private SigningKey key = Common;
    private WebApplication app = null!;
    private bool isOfAll;

    private TestIssuer()
    {
    }

    public string Url => IssuerServer.Url(app);

    public string Audience => SigningKey.Audience;

    /// <summary>The one that all tests share which neither stop it nor change its key; it ends with the process.</summary>
    public static Task<TestIssuer> SharedAsync() => OfAll.Value;

    public static async Task<TestIssuer> StartAsync(CancellationToken token = default)
    {
        var issuer = new TestIssuer();
        issuer.app = await IssuerServer.StartAsync(() => issuer.key.PublicKeys(), port: 0, token);
        return issuer;
    }

    /// <summary>A token of one of the demo principals: admin, author, business, technical, auditor, operator, other-tenant, agent-eu, agent-us.</summary>
    public string Token(string principal = "admin") => Token(Principals.All[principal]);

    /// <summary>A token with exactly these claims; expired where <paramref name="lifetime"/> is negative.</summary>
    /// <param name="issuer">Whom it names; its own URL where nothing is said.</param>
    public string Token(IDictionary<string, object> claims, TimeSpan? lifetime = null, string audience = SigningKey.Audience, string? issuer = null, string type = "at+jwt", IDictionary<string, object>? header = null) =>
        key.Token(issuer ?? Url, claims, lifetime ?? TimeSpan.FromHours(1), audience, type, header);

    /// <summary>Signs with another key from now on, which no other issuer has; the former one is served no more.</summary>
    public void RotateKey() => key = isOfAll ? throw new InvalidOperationException("Other tests use this issuer: start one.") : SigningKey.Create();

    /// <summary>A token of a person: roles as <c>tenant/environment/role</c>. The same person has the same one.</summary>
    public string PersonToken(string subject, params string[] roles) => people.GetOrAdd(
        string.Join('\n', [subject, .. roles]), _ => Token(new Dictionary<string, object> { ["sub"] = subject, ["kpi_roles"] = roles }));

    /// <summary>Whether it is one of <see cref="PersonToken"/>.</summary>
    public bool IsPersons(string token) => people.Values.Contains(token);

    public string AgentToken(string agent, string region, params string[] tenants) =>
        Token(new Dictionary<string, object>
        {
            ["sub"] = agent, ["kpi_agent"] = agent, ["kpi_region"] = region, ["kpi_tenants"] = tenants,
        });

    /// <summary>A well-formed token whose signature nobody served: what a forger can make.</summary>
    public string ForgedToken(string principal = "admin") =>
        Forger.Token(Url, Principals.All[principal], TimeSpan.FromHours(1));

    public ValueTask DisposeAsync() => isOfAll ? ValueTask.CompletedTask : app.DisposeAsync();
}
