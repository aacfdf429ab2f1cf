using Grpc.Core;
using KpiControl.Control.Certificates;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using System.ComponentModel.DataAnnotations;

namespace KpiControl.Control.Tests.Certificates;

/// <summary>Which files the control plane takes for its authority, and what it does without the key.</summary>
public sealed class AuthorityTests : IDisposable
{
    private readonly TestAuthority authority = new();

    public void Dispose() => authority.Dispose();

    [Fact]
    public void A_key_that_everybody_can_read_is_refused_in_words()
    {
        Assert.Empty(Problems(authority.CertificateFile, authority.KeyFile));
        if (OperatingSystem.IsWindows())
            return;
        File.SetUnixFileMode(authority.KeyFile, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.Contains("open to every user", Assert.Single(Problems(authority.CertificateFile, authority.KeyFile)), StringComparison.Ordinal);
    }

    [Fact]
    public void Files_that_do_not_fit_are_refused_in_words()
    {
        using var other = new TestAuthority();
        Assert.Contains("is that of no certificate", Assert.Single(Problems(authority.CertificateFile, other.KeyFile)), StringComparison.Ordinal);
        Assert.Contains("no self-signed authority", Assert.Single(Problems(authority.ServerCertificateFile, "")), StringComparison.Ordinal);
        Assert.Contains("does not exist", Assert.Single(Problems(authority.CertificateFile, authority.KeyFile + ".gone")), StringComparison.Ordinal);
        Assert.Contains("set Ca:CertificateFile", Assert.Single(Problems("", authority.KeyFile)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_an_outside_authority_agents_are_registered_and_nobody_enrols()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync();
        await using var issuer = await TestIssuer.StartAsync();
        await using var host = await ControlHost.StartAsync(database, issuer, authority, _ => { }, authority.Settings(signs: false));
        var fleet = new FleetService.FleetServiceClient(host.Channel(issuer.Token("operator")));
        using var certificate = authority.Issue(CertificateWorld.Uri("outside"));

        Assert.Equal(StatusCode.FailedPrecondition, (await Refusals.OfAsync(new AgentService.AgentServiceClient(host.Channel("")).EnrollAsync(new EnrollRequest { Token = "x", Agent = "outside" }))).StatusCode);
        Assert.Equal(StatusCode.FailedPrecondition, (await Refusals.OfAsync(new AgentService.AgentServiceClient(host.AgentChannel(certificate)).RenewAsync(new RenewRequest()))).StatusCode);
        var unknown = await Assert.ThrowsAsync<RpcException>(() => TestAgent.ConnectAsync(host.AgentChannel(certificate), "outside"));
        Assert.Equal(StatusCode.Unauthenticated, unknown.StatusCode);
        await fleet.RegisterAgentAsync(new RegisterAgentRequest { Agent = "outside", Region = "eu", Tenants = { "acme" }, Reason = "ours" });
        await using (await TestAgent.ConnectAsync(host.AgentChannel(certificate), "outside"))
        {
        }
        await fleet.RegisterAgentAsync(new RegisterAgentRequest { Agent = "outside", Region = "us", Tenants = { "acme" } });
        Assert.Equal(StatusCode.PermissionDenied, (await Assert.ThrowsAsync<RpcException>(() => TestAgent.ConnectAsync(host.AgentChannel(certificate), "outside"))).StatusCode);
    }

    private static List<string> Problems(string certificate, string key)
    {
        var options = new CaOptions { CertificateFile = certificate, KeyFile = key };
        return [.. options.Validate(new ValidationContext(options)).Select(result => result.ErrorMessage!)];
    }
}
