using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Certificates;

/// <summary>Who gets in at the agents' address, and for what.</summary>
public sealed class AgentsDoorTests(CertificateWorld world) : IClassFixture<CertificateWorld>
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    [Fact]
    public async Task An_enrolled_agent_gets_its_session_for_its_tenants_alone()
    {
        using var certificate = await world.EnrolledAsync("good");
        await using var agent = await world.ConnectAsync(certificate, "good");
        Assert.Equal("acme", await world.OneAsync<string>($"SELECT string_agg(tenant_id, ',') FROM kpi_session_tenant WHERE session_id = {agent.Welcome.SessionId}"));
        Assert.Equal(StatusCode.PermissionDenied, (await world.RefusedAsync(certificate, "somebody-else")).StatusCode);
        Assert.Equal(StatusCode.PermissionDenied, (await world.RefusedAsync(certificate, "good", "us")).StatusCode);
    }

    public static TheoryData<string> Bad => ["wrong usage", "no usage", "foreign authority", "expired", "not yet valid", "no name", "another scheme", "a server's", "self-signed", "none"];

    [Theory, MemberData(nameof(Bad))]
    public async Task A_certificate_that_is_not_right_does_not_pass_the_handshake(string what)
    {
        var agent = "victim-" + what.Replace(" ", "-", StringComparison.Ordinal).Replace("'", "", StringComparison.Ordinal);
        using var enrolled = await world.EnrolledAsync(agent);
        using var foreign = new TestAuthority();
        var name = CertificateWorld.Uri(agent);
        // The same but for the one fault gets in: its authority signed it, and its agent is known.
        using var right = world.Authority.Issue(name, from: TimeSpan.FromSeconds(30));
        await using (await world.ConnectAsync(right, agent))
        {
        }
        using var bad = what switch
        {
            "wrong usage" => world.Authority.Issue(name, "1.3.6.1.5.5.7.3.4"),
            "no usage" => world.Authority.Issue(name, ""),
            "foreign authority" => foreign.Issue(name),
            "expired" => world.Authority.Issue(name, from: -20 * Day, until: -8 * Day),
            "not yet valid" => world.Authority.Issue(name, from: Day, until: 2 * Day),
            "no name" => world.Authority.Issue(null),
            "another scheme" => world.Authority.Issue("spiffe://kpi-control/region/eu/agent/victim/or/so"),
            "a server's" => X509Certificate2.CreateFromPemFile(world.Authority.ServerCertificateFile, world.Authority.ServerKeyFile),
            "self-signed" => SelfSigned(name),
            _ => null,
        };
        var client = new AgentService.AgentServiceClient(world.Host.AgentChannel(bad));
        var stream = await world.RefusedAsync(bad, agent);
        Assert.True(stream.StatusCode is StatusCode.Unavailable or StatusCode.Internal, $"{stream}");
        var renewal = await Refusals.OfAsync(client.RenewAsync(new RenewRequest()));
        Assert.True(renewal.StatusCode is StatusCode.Unavailable or StatusCode.Internal, $"{renewal.Status}");
    }

    [Fact]
    public async Task An_expired_certificate_renews_for_seven_days_and_does_nothing_else()
    {
        using var enrolled = await world.EnrolledAsync("cut-off");
        await world.OneAsync<object>("UPDATE kpi_agent_identity SET certificates_since = now() - interval '30 days' WHERE agent = 'cut-off'");
        using var expired = world.Authority.Issue(CertificateWorld.Uri("cut-off"), from: -2 * Day, until: -Day);
        var refused = await world.RefusedAsync(expired, "cut-off");
        Assert.Equal(StatusCode.Unauthenticated, refused.StatusCode);
        Assert.Contains("expired", refused.Detail, StringComparison.Ordinal);

        using var renewed = await world.RenewedAsync(expired);
        await using (await world.ConnectAsync(renewed, "cut-off"))
        {
        }
        await world.Fleet.RevokeAgentAsync(new RevokeAgentRequest { Agent = "cut-off", Reason = "stolen" });
        Assert.Equal(StatusCode.Unauthenticated, (await Assert.ThrowsAsync<RpcException>(() => world.RenewedAsync(expired))).StatusCode);
        Assert.Equal(StatusCode.Unauthenticated, (await Assert.ThrowsAsync<RpcException>(() => world.RenewedAsync(renewed))).StatusCode);
    }

    [Fact]
    public async Task A_renewed_certificate_takes_the_session_over()
    {
        var instance = Guid.NewGuid();
        using var first = await world.EnrolledAsync("mover");
        await using var before = await world.ConnectAsync(first, "mover", instance: instance);
        using var second = await world.RenewedAsync(first);
        await using var after = await world.ConnectAsync(second, "mover", instance: instance);
        Assert.Equal((before.Welcome.SessionId, 2), (after.Welcome.SessionId, after.Welcome.Generation));
        var taken = await world.RefusedAsync(second, "mover");
        Assert.Equal(StatusCode.AlreadyExists, taken.StatusCode);
    }

    [Fact]
    public async Task A_revocation_ends_the_open_stream_and_what_was_signed_before_it_never_counts_again()
    {
        using var certificate = await world.EnrolledAsync("lost");
        await using var agent = await world.ConnectAsync(certificate, "lost");
        var revoked = await world.Fleet.RevokeAgentAsync(new RevokeAgentRequest { Agent = "lost", Reason = "a laptop was stolen" });
        Assert.Equal("a laptop was stolen", revoked.RevokeReason);
        // The slow poll is five minutes: it is the notification that is heard.
        Assert.Equal(StatusCode.Unauthenticated, (await agent.Ended.WaitAsync(TimeSpan.FromSeconds(20))).StatusCode);
        Assert.Equal(StatusCode.Unauthenticated, (await world.RefusedAsync(certificate, "lost")).StatusCode);

        using var again = await world.EnrolledAsync("lost");
        await using (await world.ConnectAsync(again, "lost", instance: await InstanceAsync("lost")))
        {
        }
        Assert.Equal(StatusCode.Unauthenticated, (await world.RefusedAsync(certificate, "lost")).StatusCode);
        Assert.Equal("FleetManage a laptop was stolen", await world.OneAsync<string>("SELECT concat_ws(' ', verb, reason) FROM kpi_audit WHERE object_kind = 'agent' AND object_id = 'lost' AND verb = 'FleetManage'"));
    }

    [Fact]
    public async Task An_agent_with_a_token_is_shut_out_too()
    {
        await using var agent = await TestAgent.ConnectAsync(world.Host.Channel(world.Issuer.AgentToken("token-agent", "eu", "acme")), "token-agent");
        await world.Fleet.RevokeAgentAsync(new RevokeAgentRequest { Agent = "token-agent", Reason = "gone" });
        Assert.Equal(StatusCode.Unauthenticated, (await agent.Ended.WaitAsync(TimeSpan.FromSeconds(20))).StatusCode);
        Assert.Equal(StatusCode.NotFound, (await Refusals.OfAsync(world.Fleet.RevokeAgentAsync(new RevokeAgentRequest { Agent = "nobody", Reason = "gone" }))).StatusCode);
    }

    [Fact]
    public async Task A_certificate_opens_nothing_but_the_agents_service_whatever_token_is_beside_it()
    {
        using var certificate = await world.EnrolledAsync("curious");
        var headers = new Metadata { { "authorization", "Bearer " + world.Issuer.Token("operator") } };
        var refused = await Refusals.OfAsync(new FleetService.FleetServiceClient(world.Host.AgentChannel(certificate)).ListAgentsAsync(new ListAgentsRequest(), headers));
        Assert.Equal(StatusCode.Unimplemented, refused.StatusCode);
        var renewal = await Refusals.OfAsync(new AgentService.AgentServiceClient(world.Host.Channel(world.Issuer.AgentToken("curious", "eu", "acme"))).RenewAsync(new RenewRequest()));
        Assert.Equal(StatusCode.PermissionDenied, renewal.StatusCode);
    }

    [Fact]
    public async Task A_stream_ends_with_its_certificate()
    {
        using var enrolled = await world.EnrolledAsync("short");
        await world.OneAsync<object>("UPDATE kpi_agent_identity SET certificates_since = now() - interval '1 day' WHERE agent = 'short'");
        using var certificate = world.Authority.Issue(CertificateWorld.Uri("short"), until: TimeSpan.FromSeconds(4));
        await using var agent = await world.ConnectAsync(certificate, "short");
        Assert.Contains("at its end", (await agent.NextAsync(m => m.Reconnect is not null)).Reconnect.Reason, StringComparison.Ordinal);
        await agent.Ended.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(StatusCode.Unauthenticated, (await world.RefusedAsync(certificate, "short")).StatusCode);
    }

    private async Task<Guid> InstanceAsync(string agent) => await world.OneAsync<Guid>($"SELECT instance FROM kpi_session WHERE agent = '{agent}' ORDER BY session_id DESC LIMIT 1");

    private static X509Certificate2 SelfSigned(string name)
    {
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=test authority", key, System.Security.Cryptography.HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddUri(new Uri(name));
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new System.Security.Cryptography.Oid(TestAuthority.Clients)], false));
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddMinutes(-5), now.AddHours(1));
    }
}
