using System.Security.Cryptography.X509Certificates;
using KpiControl.Agent.Tests.Execution;
using KpiControl.Agent.Tests.Hosting;

namespace KpiControl.Agent.Tests.Leasing;

/// <summary>The control plane over TLS, verified by the authorities of <c>CaFile</c> alone.</summary>
public sealed class TlsTests : IDisposable
{
    private readonly AgentFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_control_plane_of_the_named_authority_is_greeted()
    {
        var (authority, certificate, key) = TestPki.Make();
        using var server = X509Certificate2.CreateFromPem(certificate, key);
        await using var control = await FakeControlPlane.StartAsync(certificate: server);
        await using var agent = await StartAsync(control, authority);
        Assert.Equal("agent-1", (await control.WelcomeAsync()).Hello.Agent);
    }

    [Fact]
    public async Task One_of_another_authority_gets_no_token_and_the_agent_says_why()
    {
        var (_, certificate, key) = TestPki.Make();
        using var server = X509Certificate2.CreateFromPem(certificate, key);
        await using var control = await FakeControlPlane.StartAsync(certificate: server);
        await using var agent = await StartAsync(control, TestPki.Make().Authority);
        Assert.Contains("Agent:ControlPlane:CaFile", await agent.Lines.WaitForAsync("certificate that is not trusted"), StringComparison.Ordinal);
        Assert.Equal(0, control.StreamsSeen);
    }

    private Task<AgentInProcess> StartAsync(FakeControlPlane control, string authority)
    {
        var file = Path.Combine(folder.Path, "ca.pem");
        File.WriteAllText(file, authority);
        return new AgentInProcess(folder, control.Address, new ScriptedExecutor(), ("Agent:ControlPlane:CaFile", file)).StartAsync();
    }
}
