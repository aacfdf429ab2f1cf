using System.Security.Claims;
using Google.Rpc;
using Grpc.Core;
using KpiControl.Control.Hosting;
using KpiControl.Control.Security;
using KpiControl.Control.Tests.Rest;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Security;

/// <summary>What the claims of an issuer come to, and how often their bearer may call.</summary>
public sealed class ClaimsTests(RestFixture fixture) : IClassFixture<RestFixture>
{
    [Fact]
    public async Task Groups_are_given_grants_by_configuration_and_other_claims_give_none()
    {
        await using var host = await ControlHost.StartAsync(fixture.Database, fixture.Issuer,
            ("Authentication:Claims:Principal", "email"), ("Authentication:Claims:Roles", "our_roles"), ("Authentication:Claims:Groups", "groups"),
            ("Authentication:Claims:Mappings:0:Group", "kpi-readers"), ("Authentication:Claims:Mappings:0:Grants:0", "acme/*/viewer"));
        Assert.Equal(StatusCode.OK, await ListAsync(host, ("email", ["ann@acme"]), ("groups", ["x", "kpi-readers"])));
        Assert.Equal(StatusCode.OK, await ListAsync(host, ("email", ["ann@acme"]), ("our_roles", ["acme/dev/viewer"])));
        foreach (var (claim, value) in new[] { ("groups", "KPI-readers"), ("kpi_roles", "acme/*/admin"), ("groups", "acme/*/admin") })
            Assert.Equal(StatusCode.PermissionDenied, await ListAsync(host, ("email", ["ann@acme"]), (claim, [value])));
        Assert.Equal(StatusCode.Unauthenticated, await ListAsync(host, ("sub", ["ann"]), ("our_roles", ["acme/dev/viewer"])));
    }

    [Theory]
    [InlineData("kpi.publish", "acme globex", "dev", "acme/dev/publisher globex/dev/publisher")]
    [InlineData("openid kpi.publish", "acme", "dev stg", "acme/dev/publisher acme/stg/publisher")]
    [InlineData("openid kpi.read", "acme", "dev", "acme/*/viewer")]
    [InlineData("openid", "acme", "dev", "")]
    [InlineData("kpi.publish", "", "dev", "")]
    [InlineData("kpi.publish", "acme", "", "")]
    [InlineData("kpi.publish kpi.read", "*", "dev", "")]
    [InlineData("kpi.publish", "acme", "*", "")]
    [InlineData("kpi.read", "acme/*/admin", "dev", "")]
    public void A_role_counts_in_the_tenants_and_environments_that_the_token_names(string scope, string tenants, string environments, string grants)
    {
        var mapping = new ClaimsMapping(new ClaimsOptions
        {
            Groups = "scope", Tenants = "tenants", Environments = "environments",
            Mappings = [new GroupMapping { Group = "kpi.publish", Grants = ["{tenant}/{environment}/publisher"] }, new GroupMapping { Group = "kpi.read", Grants = ["{tenant}/*/viewer"] }],
        });
        var claims = new[] { ("tenants", tenants), ("environments", environments) }
            .SelectMany(c => c.Item2.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(value => new Claim(c.Item1, value)));
        var user = mapping.Map(new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", "ci"), new Claim("scope", scope), .. claims], "Bearer")));
        Assert.Equal(grants, string.Join(' ', Caller.From(user!).Grants.Select(g => $"{g.Tenant}/{g.Environment}/{g.Role}")));
    }

    [Theory]
    [InlineData("acme/*/viewer", true)]
    [InlineData("*/*/platform_operator", true)]
    [InlineData("globex,acme/*/admin", false)]
    [InlineData("acme\0/*/admin", false)]
    [InlineData(" acme/*/admin", false)]
    [InlineData("ACME/*/admin", false)]
    [InlineData("acme' OR '1/*/admin", false)]
    [InlineData("/*/admin", false)]
    [InlineData("*/*/admin", false)]
    [InlineData("acme/*/admin/x", false)]
    public async Task A_grant_is_of_a_tenant_that_has_a_plain_name(string grant, bool counts) =>
        Assert.Equal(counts ? StatusCode.OK : StatusCode.PermissionDenied, await ListAsync(fixture.Host, ("sub", ["ann"]), ("kpi_roles", [grant])));

    [Theory]
    [InlineData("Authentication:Claims:Mappings:0:Group", "readers", "does not say which claim holds the groups")]
    [InlineData("Authentication:Claims:Groups", "groups", "Authentication:Claims:Mappings is empty")]
    [InlineData("Authentication:Claims:Principal", "", "the claim that names the caller")]
    [InlineData("Authentication:Issuer", "http://id.example.com", "must use https")]
    [InlineData("Authentication:KeysRetrySeconds", "0", "Authentication:KeysRetrySeconds must be")]
    [InlineData("Limits:CallsPerSecond", "0", "Limits:CallsPerSecond must be")]
    public async Task Unsafe_or_senseless_configuration_is_refused_in_words(string key, string value, string words)
    {
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => ControlHost.StartAsync(fixture.Database, fixture.Issuer, (key, value)));
        Assert.Contains(Startup.Mistakes(refused), mistake => mistake.Contains(words, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_group_is_not_given_a_role_that_does_not_exist_nor_every_tenant_nor_what_no_claim_says()
    {
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => ControlHost.StartAsync(fixture.Database, fixture.Issuer,
            ("Authentication:Claims:Groups", "groups"), ("Authentication:Claims:Mappings:0:Group", "g"),
            ("Authentication:Claims:Mappings:0:Grants:0", "acme/dev/emperor"), ("Authentication:Claims:Mappings:0:Grants:1", "*/*/admin"),
            ("Authentication:Claims:Mappings:0:Grants:2", "acme/moon/viewer"), ("Authentication:Claims:Mappings:0:Grants:3", "{tenant}/*/viewer")));
        var mistakes = Startup.Mistakes(refused);
        foreach (var words in new[] { "'acme/dev/emperor' is not", "'*/*/admin' is not", "'acme/moon/viewer' is not", "'{tenant}/*/viewer' has {tenant}, but" })
            Assert.Contains(mistakes, mistake => mistake.Contains(words, StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_caller_who_calls_too_often_is_told_when_to_come_back_and_others_are_not()
    {
        await using var host = await ControlHost.StartAsync(fixture.Database, fixture.Issuer, ("Limits:CallsPerSecond", "1"), ("Limits:Burst", "3"));
        var greedy = fixture.Issuer.PersonToken("greedy", "acme/*/viewer");
        var jobs = host.Jobs(greedy);
        // Many at once: on a slow machine one after the other might never be too many.
        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => Record.ExceptionAsync(() => jobs.ListJobsAsync(new ListJobsRequest()).ResponseAsync).AsTask()));
        var refused = Assert.IsType<RpcException>(answers.First(answer => answer is not null));
        Assert.Equal((StatusCode.ResourceExhausted, "RATE_EXCEEDED"), (refused.StatusCode, refused.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Reason));
        Assert.NotNull(refused.GetRpcStatus()!.GetDetail<RetryInfo>());
        using var rest = host.Rest(greedy);
        var pages = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => rest.GetAsync(new Uri("/api/kpi-jobs", UriKind.Relative))));
        Assert.NotNull(pages.First(page => (int)page.StatusCode == 429).Headers.RetryAfter?.Delta);
        await host.Jobs(fixture.Issuer.PersonToken("modest", "acme/*/viewer")).ListJobsAsync(new ListJobsRequest());
    }

    private Task<StatusCode> ListAsync(ControlHost host, params (string Claim, string[] Values)[] claims) =>
        AnswerAsync(() => host.Jobs(Token(claims)).ListJobsAsync(new ListJobsRequest()).ResponseAsync);

    // A claim of one value is a text and no list: how issuers write it.
    private string Token(params (string Claim, string[] Values)[] claims) =>
        fixture.Issuer.Token(claims.ToDictionary(c => c.Claim, c => c.Values.Length == 1 ? (object)c.Values[0] : c.Values));

    private static async Task<StatusCode> AnswerAsync(Func<Task> call) => await Record.ExceptionAsync(call) is RpcException refused ? refused.StatusCode : StatusCode.OK;
}
