using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Certificates;

/// <summary>A one-time token becomes a certificate, once, and says what it may be for.</summary>
public sealed class EnrolmentTests(CertificateWorld world) : IClassFixture<CertificateWorld>
{
    [Fact]
    public async Task A_token_becomes_a_certificate_that_says_what_the_operator_said_and_nothing_the_agent_asked_for()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var asked = CertificateWorld.Asked(key, request =>
        {
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(TestAuthority.Servers)], true));
            var names = new SubjectAlternativeNameBuilder();
            names.AddUri(new Uri(CertificateWorld.Uri("somebody-else", "us")));
            request.CertificateExtensions.Add(names.Build());
        });
        var answer = await world.Stranger.EnrollAsync(new EnrollRequest { Token = await world.TokenAsync("asker", "eu", "acme", "initech"), Agent = "asker", CertificateRequest = asked });

        using var certificate = X509Certificate2.CreateFromPem(answer.Certificate);
        Assert.Equal(("asker", "eu", "acme initech"), (answer.Agent, answer.Region, string.Join(' ', answer.Tenants)));
        Assert.Equal(new AgentUri("eu", "asker"), AgentUri.Of(certificate));
        Assert.Equal("CN=asker", certificate.Subject);
        Assert.False(certificate.Extensions.OfType<X509BasicConstraintsExtension>().Single().CertificateAuthority);
        Assert.Equal(TestAuthority.Clients, Assert.Single(certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>().Single().EnhancedKeyUsages.Cast<Oid>()).Value);
        Assert.Equal(TimeSpan.FromHours(24), certificate.NotAfter - certificate.NotBefore);
        Assert.Equal("agent asker Enroll asker", await world.OneAsync<string>("SELECT concat_ws(' ', actor, verb, object_id) FROM kpi_audit WHERE verb = 'Enroll' AND object_id = 'asker'"));
    }

    [Fact]
    public async Task A_token_counts_once_however_many_race_with_it()
    {
        var token = await world.TokenAsync("racer");
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => OutcomeAsync(token, "racer")));
        Assert.Equal((1, 7), (outcomes.Count(o => o == StatusCode.OK), outcomes.Count(o => o == StatusCode.Unauthenticated)));
        Assert.Equal(StatusCode.Unauthenticated, await OutcomeAsync(token, "racer"));
    }

    [Fact]
    public async Task Whoever_lost_the_answer_asks_again_with_the_same_key_until_something_came_after_it()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new EnrollRequest { Token = await world.TokenAsync("unlucky"), Agent = "unlucky", CertificateRequest = CertificateWorld.Asked(key) };
        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => world.Stranger.EnrollAsync(request).ResponseAsync));
        Assert.Single(answers.Select(a => a.ExpiresAt).Distinct());
        var certificates = answers.Select(a => X509Certificate2.CreateFromPem(a.Certificate, key.ExportPkcs8PrivateKeyPem())).ToList();
        await using (await world.ConnectAsync(certificates[3], "unlucky"))
        {
        }

        Assert.Equal(StatusCode.Unauthenticated, await OutcomeAsync(request.Token, "unlucky"));
        using var renewed = await world.RenewedAsync(certificates[0]);
        Assert.Equal(StatusCode.Unauthenticated, (await Refusals.OfAsync(world.Stranger.EnrollAsync(request))).StatusCode);
        Assert.Equal("Enroll Enroll Enroll Enroll Renew", await world.OneAsync<string>("SELECT string_agg(verb, ' ' ORDER BY audit_id) FROM kpi_audit WHERE actor = 'agent unlucky'"));
        certificates.ForEach(certificate => certificate.Dispose());
    }

    [Fact]
    public async Task Nobody_who_was_revoked_comes_back_with_the_token_of_old()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new EnrollRequest { Token = await world.TokenAsync("outlaw"), Agent = "outlaw", CertificateRequest = CertificateWorld.Asked(key) };
        await world.Stranger.EnrollAsync(request);
        await world.Fleet.RevokeAgentAsync(new RevokeAgentRequest { Agent = "outlaw", Reason = "a test" });
        Assert.Equal(StatusCode.Unauthenticated, (await Refusals.OfAsync(world.Stranger.EnrollAsync(request))).StatusCode);
        // Nor once an operator has let the name in again, for certificates to come.
        await world.Fleet.RegisterAgentAsync(new RegisterAgentRequest { Agent = "outlaw", Region = "eu", Tenants = { "acme" } });
        Assert.Equal(StatusCode.Unauthenticated, (await Refusals.OfAsync(world.Stranger.EnrollAsync(request))).StatusCode);
    }

    [Fact]
    public async Task Whatever_is_wrong_with_a_token_is_told_in_the_same_words()
    {
        var expired = await world.TokenAsync("late");
        await world.OneAsync<object>("UPDATE kpi_enrolment SET expires_at = now() WHERE agent = 'late'");
        var revoked = await world.TokenAsync("unwanted");
        var unwanted = (await world.Fleet.ListEnrolmentsAsync(new ListEnrolmentsRequest())).Enrolments.Single(e => e.Agent == "unwanted");
        Assert.Equal("revoked", (await world.Fleet.RevokeEnrolmentAsync(new RevokeEnrolmentRequest { EnrolmentId = unwanted.EnrolmentId })).State);
        var others = await world.TokenAsync("other");

        var told = new List<string>();
        foreach (var (token, agent) in new[] { (expired, "late"), (revoked, "unwanted"), (others, "another"), ("kpienrol_guessed", "late"), ("", "late"), (others, "no name/at all") })
        {
            var refused = await Refusals.OfAsync(world.Stranger.EnrollAsync(Request(token, agent)));
            Assert.Equal(StatusCode.Unauthenticated, refused.StatusCode);
            told.Add(refused.Status.Detail);
        }
        Assert.Single(told.Distinct());
        Assert.Equal(StatusCode.OK, await OutcomeAsync(others, "other"));
    }

    [Fact]
    public async Task A_token_for_many_names_takes_none_over_and_one_in_the_very_name_does()
    {
        using var first = await world.EnrolledAsync("pool-1");
        Assert.Equal(StatusCode.AlreadyExists, await OutcomeAsync(await world.TokenAsync("pool-*"), "pool-1"));
        Assert.Equal(StatusCode.OK, await OutcomeAsync(await world.TokenAsync("pool-*"), "pool-2"));
        await using (await world.ConnectAsync(first, "pool-1"))
        {
        }
        using var second = await world.EnrolledAsync("pool-1");
        Assert.Equal(StatusCode.Unauthenticated, (await world.RefusedAsync(first, "pool-1")).StatusCode);
    }

    [Fact]
    public async Task A_request_that_proves_no_good_key_is_refused_and_leaves_the_token_unused()
    {
        var token = await world.TokenAsync("weak");
        using var curve = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using var small = RSA.Create(1024);
        using var good = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var forged = CertificateWorld.Asked(good).ToByteArray();
        forged[^1] ^= 1;
        var weak = new CertificateRequest("CN=x", small, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSigningRequest();
        foreach (var asked in new[] { CertificateWorld.Asked(curve), ByteString.CopyFrom(weak), ByteString.CopyFrom(forged), ByteString.Empty, ByteString.CopyFrom(new byte[20_000]), ByteString.CopyFromUtf8("no DER") })
            Assert.Equal("certificate_request", Assert.Single((await Refusals.OfAsync(world.Stranger.EnrollAsync(new EnrollRequest { Token = token, Agent = "weak", CertificateRequest = asked }))).Violations()).Field);

        using var rsa = RSA.Create(2048);
        var fair = new CertificateRequest("CN=x", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSigningRequest();
        var answer = await world.Stranger.EnrollAsync(new EnrollRequest { Token = token, Agent = "weak", CertificateRequest = ByteString.CopyFrom(fair) });
        using var certificate = X509Certificate2.CreateFromPem(answer.Certificate, rsa.ExportPkcs8PrivateKeyPem());
        await using (await world.ConnectAsync(certificate, "weak"))
        {
        }
    }

    [Fact]
    public async Task A_token_is_shown_once_and_stored_nowhere_and_a_repeat_is_answered_without_it()
    {
        var request = new CreateEnrolmentRequest { Agent = "once", Region = "eu", Tenants = { "acme" }, RequestId = Guid.NewGuid().ToString() };
        var first = await world.Fleet.CreateEnrolmentAsync(request);
        var again = await world.Fleet.CreateEnrolmentAsync(request);
        var rehearsed = await world.Fleet.CreateEnrolmentAsync(new CreateEnrolmentRequest { Agent = "once", Region = "eu", Tenants = { "acme" }, ValidateOnly = true });
        Assert.Equal((first.EnrolmentId, "", ""), (again.EnrolmentId, again.Token, rehearsed.Token));
        Assert.StartsWith("kpienrol_", first.Token, StringComparison.Ordinal);
        var text = first.Token;
        var hex = Convert.ToHexString(Encoding.UTF8.GetBytes(text));
        foreach (var table in new[] { "kpi_enrolment", "kpi_request", "kpi_audit" })
            Assert.False(await world.OneAsync<bool>($"SELECT EXISTS (SELECT FROM {table} t WHERE position('{text}' IN t::text) > 0 OR position(lower('{hex}') IN t::text) > 0)"), table);
        Assert.DoesNotContain(text, string.Join('\n', world.Host.Logs.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bad_terms_are_refused_by_name()
    {
        foreach (var (request, field) in new[]
        {
            (new CreateEnrolmentRequest { Region = "eu", Tenants = { "acme" } }, "agent"), (new CreateEnrolmentRequest { Agent = "a/b", Region = "eu", Tenants = { "acme" } }, "agent"),
            (new CreateEnrolmentRequest { Agent = "*", Region = "eu", Tenants = { "acme" } }, "agent"), (new CreateEnrolmentRequest { Agent = "a", Tenants = { "acme" } }, "region"),
            (new CreateEnrolmentRequest { Agent = "a", Region = "eu" }, "tenants"), (new CreateEnrolmentRequest { Agent = "a", Region = "eu", Tenants = { "globex" } }, "tenants"),
            (new CreateEnrolmentRequest { Agent = "a", Region = "eu", Tenants = { "nobody" } }, "tenants"),
            (new CreateEnrolmentRequest { Agent = "a", Region = "eu", Tenants = { "acme" }, ValidFor = new() { Seconds = 1 } }, "valid_for"),
            (new CreateEnrolmentRequest { Agent = "a", Region = "eu", Tenants = { "acme" }, ValidFor = new() { Seconds = 999_999_999 } }, "valid_for"),
        })
            Assert.Equal(field, Assert.Single((await Refusals.OfAsync(world.Fleet.CreateEnrolmentAsync(request))).Violations()).Field);
    }

    private async Task<StatusCode> OutcomeAsync(string token, string agent)
    {
        try
        {
            await world.Stranger.EnrollAsync(Request(token, agent));
            return StatusCode.OK;
        }
        catch (RpcException refused)
        {
            return refused.StatusCode;
        }
    }

    private static EnrollRequest Request(string token, string agent)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new EnrollRequest { Token = token, Agent = agent, CertificateRequest = CertificateWorld.Asked(key) };
    }
}
