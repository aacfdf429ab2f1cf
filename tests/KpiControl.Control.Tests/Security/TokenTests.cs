using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Grpc.Core;
using KpiControl.Control.Tests.Rest;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Security;

/// <summary>What a token must be to count.</summary>
public sealed class TokenTests(RestFixture fixture) : IClassFixture<RestFixture>
{
    private static readonly Dictionary<string, object> Admin = new() { ["sub"] = "ann", ["kpi_roles"] = new[] { "acme/*/admin" } };

    [Theory]
    [InlineData("expired")]
    [InlineData("not yet valid")]
    [InlineData("wrong issuer")]
    [InlineData("wrong audience")]
    [InlineData("no expiry")]
    [InlineData("another issuer's")]
    [InlineData("another key under a known name")]
    [InlineData("alg none")]
    [InlineData("alg none with a signature")]
    [InlineData("HS256 with the public key")]
    [InlineData("HS256 with the served keys")]
    [InlineData("an identity token")]
    [InlineData("nobody")]
    [InlineData("a name with a NUL")]
    [InlineData("a name of two lines")]
    [InlineData("a name that turns what follows around")]
    [InlineData("a name of blanks")]
    [InlineData("what must be understood")]
    [InlineData("no token at all")]
    public async Task A_token_that_does_not_count_is_UNAUTHENTICATED_by_gRPC_and_REST(string what)
    {
        Assert.Equal(StatusCode.OK, await AnswerAsync(fixture.Host, fixture.Issuer.Token(Admin)));
        var token = await BadAsync(what);
        Assert.Equal(StatusCode.Unauthenticated, await AnswerAsync(fixture.Host, token));
        Assert.Equal(401, (await fixture.GetAsync("/api/kpi-jobs", token)).Status);
    }

    [Fact]
    public async Task Clocks_may_differ_by_the_stated_skew_and_no_more()
    {
        // 30 seconds by default; far enough from the edge for a machine that is slow.
        Assert.Equal(StatusCode.OK, await AnswerAsync(fixture.Host, fixture.Issuer.Token(Admin, TimeSpan.FromSeconds(-1))));
        Assert.Equal(StatusCode.Unauthenticated, await AnswerAsync(fixture.Host, fixture.Issuer.Token(Admin, TimeSpan.FromSeconds(-31))));
        Assert.Equal(StatusCode.OK, await AnswerAsync(fixture.Host, fixture.Issuer.Token(From(TimeSpan.FromSeconds(20)))));
        Assert.Equal(StatusCode.Unauthenticated, await AnswerAsync(fixture.Host, fixture.Issuer.Token(From(TimeSpan.FromMinutes(30)))));
    }

    [Fact]
    public async Task A_token_without_a_tenant_is_known_and_may_do_nothing() =>
        Assert.Equal(StatusCode.PermissionDenied, await AnswerAsync(fixture.Host, fixture.Issuer.PersonToken("ann")));

    [Fact]
    public async Task Only_the_configured_types_of_token_count()
    {
        await using var host = await ControlHost.StartAsync(fixture.Database, fixture.Issuer, ("Authentication:TokenTypes:0", "at+jwt"));
        Assert.Equal(StatusCode.OK, await AnswerAsync(host, fixture.Issuer.Token(Admin)));
        Assert.Equal(StatusCode.Unauthenticated, await AnswerAsync(host, fixture.Issuer.Token(Admin, type: "JWT")));
        Assert.Equal(StatusCode.OK, await AnswerAsync(fixture.Host, fixture.Issuer.Token(Admin, type: "JWT")));
    }

    [Fact]
    public async Task A_key_that_the_issuer_rotates_to_counts_without_a_restart_and_the_former_one_no_more()
    {
        await using var issuer = await TestIssuer.StartAsync();
        await using var host = await ControlHost.StartAsync(fixture.Database, issuer, ("Authentication:KeysRetrySeconds", "1"));
        var former = issuer.Token(Admin);
        Assert.Equal(StatusCode.OK, await AnswerAsync(host, former));
        issuer.RotateKey();
        while (await AnswerAsync(host, issuer.Token(Admin)) != StatusCode.OK)
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
        Assert.Equal(StatusCode.Unauthenticated, await AnswerAsync(host, former));
    }

    [Fact]
    public async Task Before_the_issuers_keys_were_ever_read_a_token_is_not_called_bad()
    {
        var issuer = await TestIssuer.StartAsync();
        var token = issuer.Token(Admin);
        await using var host = await ControlHost.StartAsync(fixture.Database, issuer);
        await issuer.DisposeAsync();
        Assert.Equal(StatusCode.Unavailable, await AnswerAsync(host, token));
        Assert.Equal(StatusCode.Unauthenticated, await AnswerAsync(host, ""));
    }

    private async Task<string> BadAsync(string what)
    {
        var good = fixture.Issuer.Token(Admin);
        switch (what)
        {
            case "expired": return fixture.Issuer.Token(Admin, TimeSpan.FromMinutes(-10));
            case "not yet valid": return fixture.Issuer.Token(From(TimeSpan.FromMinutes(10)));
            case "wrong issuer": return fixture.Issuer.Token(Admin, issuer: "https://id.example.com");
            case "wrong audience": return fixture.Issuer.Token(Admin, audience: "somebody-else");
            case "no expiry": return fixture.Issuer.Token(Admin, lifetime: Timeout.InfiniteTimeSpan);
            case "another issuer's":
                await using (var elsewhere = await TestIssuer.StartAsync())
                    return elsewhere.Token(Admin);
            case "another key under a known name":
                using (var forger = RSA.Create(2048))
                    return Resigned(good, Text(good.Split('.')[0]), text => forger.SignData(text, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
            case "alg none": return Resigned(good, """{"alg":"none","typ":"at+jwt"}""", _ => []);
            case "alg none with a signature": return Resigned(good, """{"alg":"none","typ":"at+jwt"}""", _ => [1, 2, 3]);
            case "HS256 with the public key":
                var pem = (await KeyAsync()).ExportSubjectPublicKeyInfoPem();
                return Resigned(good, """{"alg":"HS256","typ":"at+jwt"}""", text => HMACSHA256.HashData(Encoding.ASCII.GetBytes(pem), text));
            case "HS256 with the served keys":
                var served = Encoding.UTF8.GetBytes((await ServedKeysAsync()).RootElement.GetRawText());
                return Resigned(good, """{"alg":"HS256","typ":"at+jwt"}""", text => HMACSHA256.HashData(served, text));
            case "an identity token": return fixture.Issuer.Token(Admin, type: "id_token");
            case "a name with a NUL": return Named("ann\0");
            case "a name of two lines": return Named("ann\nbob");
            case "a name that turns what follows around": return Named("\u202enna");
            case "a name of blanks": return Named("  ");
            case "what must be understood": return fixture.Issuer.Token(Admin, header: new Dictionary<string, object> { ["crit"] = new[] { "until" }, ["until"] = 1 });
            case "nobody": return fixture.Issuer.Token(new Dictionary<string, object> { ["kpi_roles"] = new[] { "acme/*/admin" } });
            default: return "";
        }
    }

    private string Named(string subject) => fixture.Issuer.PersonToken(subject, "acme/*/admin");

    private static Dictionary<string, object> From(TimeSpan ahead) => new(Admin) { ["nbf"] = TimeProvider.System.GetUtcNow().Add(ahead).ToUnixTimeSeconds() };

    private static async Task<StatusCode> AnswerAsync(ControlHost host, string token)
    {
        var call = host.Jobs(token).ListJobsAsync(new ListJobsRequest());
        return await Record.ExceptionAsync(() => call.ResponseAsync) is RpcException refused ? refused.StatusCode : call.GetStatus().StatusCode;
    }

    private async Task<JsonDocument> ServedKeysAsync()
    {
        using var client = new HttpClient();
        return JsonDocument.Parse(await client.GetStringAsync(new Uri(fixture.Issuer.Url + "/jwks")));
    }

    private async Task<RSA> KeyAsync()
    {
        using var keys = await ServedKeysAsync();
        var key = keys.RootElement.GetProperty("keys")[0];
        return RSA.Create(new RSAParameters { Modulus = Bytes(key.GetProperty("n").GetString()!), Exponent = Bytes(key.GetProperty("e").GetString()!) });
    }

    private static string Resigned(string token, string header, Func<byte[], byte[]> sign)
    {
        var text = $"{Base64Url(Encoding.UTF8.GetBytes(header))}.{token.Split('.')[1]}";
        return $"{text}.{Base64Url(sign(Encoding.ASCII.GetBytes(text)))}";
    }

    private static string Text(string part) => Encoding.UTF8.GetString(Bytes(part));

    private static byte[] Bytes(string text) => System.Buffers.Text.Base64Url.DecodeFromChars(text);

    private static string Base64Url(byte[] bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);
}
