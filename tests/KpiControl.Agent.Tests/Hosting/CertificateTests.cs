using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using KpiControl.Agent.Tests.Execution;
using KpiControl.Protocol.V1;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Agent.Tests.Hosting;

/// <summary>The real agent and the real control plane over mutual TLS.</summary>
public sealed class CertificateTests : IAsyncLifetime
{
    private readonly AgentFolder folder = new();
    private readonly TestAuthority authority = new();
    private TestDatabase database = null!;
    private TestIssuer issuer = null!;

    private string Identity => Path.Combine(folder.Outbox, "identity", "agent.pem");

    public async ValueTask InitializeAsync()
    {
        database = await PostgresFixture.CreateDatabaseAsync();
        issuer = await TestIssuer.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await database.DisposeAsync();
        await issuer.DisposeAsync();
        authority.Dispose();
        folder.Dispose();
    }

    [Fact]
    public async Task An_agent_enrols_and_renews_by_itself_and_drops_no_lease()
    {
        await using var control = await ControlAsync(("Ca:Lifetime", "00:00:08"));
        File.WriteAllText(folder.Token, await EnrolmentAsync(control));
        var running = new TaskCompletionSource();
        var executor = new ScriptedExecutor { Script = async (_, _, _) => { await running.Task; return ScriptedExecutor.Success; } };
        await new BindingSeed(database).BindAsync(BindingSeed.Job("held", ByTheClock.Hourly, more: "run:\n  conn_id: test"), ByTheClock.LastHour);
        await using var agent = await StartAsync(control, executor);

        await agent.Lines.WaitForAsync("(generation 1)");
        await UntilAsync(() => !executor.Calls.IsEmpty);
        await agent.Lines.WaitForAsync("certificate was renewed");
        await agent.Lines.WaitForAsync("(generation 2)");
        running.SetResult();

        await UntilAsync(async () => await OneAsync("SELECT count(*) FROM kpi_job_history") == 1);
        Assert.Equal(1, await OneAsync("SELECT count(*) FROM kpi_job_history WHERE status = 'success' AND final"));
        Assert.Equal(1, await OneAsync("SELECT count(*) FROM kpi_session"));
        Assert.Single(executor.Calls);
    }

    [Fact]
    public async Task Its_key_is_its_own_and_the_next_start_needs_no_token()
    {
        await using var control = await ControlAsync();
        File.WriteAllText(folder.Token, await EnrolmentAsync(control));
        await using (var first = await StartAsync(control, new ScriptedExecutor()))
            await first.Lines.WaitForAsync("(generation 1)");
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Identity));
        using var certificate = X509Certificate2.CreateFromPemFile(Identity, Identity);
        Assert.True(certificate.HasPrivateKey);
        Assert.Equal("CN=agent-1", certificate.Subject);

        File.Delete(folder.Token);
        await using var second = await StartAsync(control, new ScriptedExecutor());
        await second.Lines.WaitForAsync("(generation 2)");
    }

    [Fact]
    public async Task A_token_whose_answer_was_lost_still_enrols_the_key_that_it_was_used_for()
    {
        await using var control = await ControlAsync();
        var token = await EnrolmentAsync(control);
        File.WriteAllText(folder.Token, token);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var begun = Path.Combine(Path.GetDirectoryName(Identity)!, "enrolling.pem");
        Directory.CreateDirectory(Path.GetDirectoryName(begun)!);
        File.WriteAllText(begun, key.ExportPkcs8PrivateKeyPem());
        var asked = new CertificateRequest("CN=kpi-agent", key, HashAlgorithmName.SHA256).CreateSigningRequest();
        await new AgentService.AgentServiceClient(control.Channel("")).EnrollAsync(new EnrollRequest { Token = token, Agent = "agent-1", CertificateRequest = ByteString.CopyFrom(asked) });

        await using var agent = await StartAsync(control, new ScriptedExecutor());
        await agent.Lines.WaitForAsync("(generation 1)");
        Assert.False(File.Exists(begun));
        using var certificate = X509Certificate2.CreateFromPemFile(Identity, Identity);
        Assert.Equal(key.ExportSubjectPublicKeyInfo(), certificate.PublicKey.ExportSubjectPublicKeyInfo());
    }

    [Fact]
    public async Task A_used_token_and_a_revocation_are_told_in_one_line_each()
    {
        await using var control = await ControlAsync();
        File.WriteAllText(folder.Token, "kpienrol_used");
        await using (var refused = await StartAsync(control, new ScriptedExecutor()))
            Assert.Contains("kpictl agents enrol agent-1", await refused.Lines.WaitForAsync("does not enrol agent 'agent-1'"), StringComparison.Ordinal);
        Assert.False(File.Exists(Identity));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(Path.GetDirectoryName(Identity)!, "enrolling.pem")));

        File.WriteAllText(folder.Token, await EnrolmentAsync(control));
        await using var agent = await StartAsync(control, new ScriptedExecutor());
        await agent.Lines.WaitForAsync("(generation 1)");
        await Fleet(control).RevokeAgentAsync(new RevokeAgentRequest { Agent = "agent-1", Reason = "stolen" });
        Assert.Contains("kpictl agents enrol agent-1", await agent.Lines.WaitForAsync("does not accept the agent's certificate"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_of_an_outside_authority_is_read_from_its_files()
    {
        await using var control = await ControlAsync(("Ca:KeyFile", ""));
        await Fleet(control).RegisterAgentAsync(new RegisterAgentRequest { Agent = "agent-1", Region = "eu", Tenants = { "acme" } });
        var (certificateFile, keyFile) = (Path.Combine(folder.Path, "own.pem"), Path.Combine(folder.Path, "own.key"));
        using var issued = authority.Issue("spiffe://kpi-control/region/eu/agent/agent-1");
        File.WriteAllText(certificateFile, issued.ExportCertificatePem());
        PrivateText.Write(keyFile, issued.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        await using var agent = await new AgentInProcess(folder, control.AgentsUrl, new ScriptedExecutor(), ("Agent:ControlPlane:Token", ""),
            ("Agent:ControlPlane:CertificateFile", certificateFile), ("Agent:ControlPlane:CertificateKeyFile", keyFile), ("Agent:ControlPlane:CaFile", authority.CertificateFile)).StartAsync();
        await agent.Lines.WaitForAsync("(generation 1)");
    }

    private Task<ControlHost> ControlAsync(params (string Key, string Value)[] settings) => ControlHost.StartAsync(database, issuer, authority, _ => { }, settings);

    private FleetService.FleetServiceClient Fleet(ControlHost control) => new(control.Channel(issuer.Token("operator")));

    private async Task<string> EnrolmentAsync(ControlHost control) =>
        (await Fleet(control).CreateEnrolmentAsync(new CreateEnrolmentRequest { Agent = "agent-1", Region = "eu", Tenants = { "acme" } })).Token;

    private Task<AgentInProcess> StartAsync(ControlHost control, ScriptedExecutor executor) => new AgentInProcess(folder, control.AgentsUrl, executor,
        ("Agent:ControlPlane:Token", ""), ("Agent:ControlPlane:EnrolmentToken", "file:" + folder.Token), ("Agent:ControlPlane:EnrolmentAddress", control.GrpcUrl),
        ("Agent:ControlPlane:CaFile", authority.CertificateFile)).StartAsync();

    private async Task<long> OneAsync(string sql)
    {
        await using var connection = await database.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static Task UntilAsync(Func<bool> condition) => UntilAsync(() => Task.FromResult(condition()));

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        var limit = Leasing.Patience.Token();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (!await condition())
            await tick.WaitForNextTickAsync(limit);
    }
}
