using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using KpiControl.Agent.Tests.Leasing;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Tests.Hosting;

/// <summary>The shipped executable, killed and starved at moments that the test holds open.</summary>
public sealed class KillTests : IAsyncLifetime
{
    private readonly AgentFolder folder = new();
    private FakeControlPlane control = null!;

    public async ValueTask InitializeAsync() => control = await FakeControlPlane.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await control.DisposeAsync();
        folder.Dispose();
    }

    private AgentProcess Start(string? under = null, params (string Key, string Value)[] settings)
    {
        var all = folder.Settings(control.Address);
        foreach (var (key, value) in settings)
            all[key] = value;
        return new AgentProcess(all, under);
    }

    [Fact]
    public async Task Killed_with_a_result_in_hand_the_agent_delivers_it_after_its_restart_once()
    {
        Finished sent;
        string instance;
        using (var agent = Start())
        {
            var stream = await control.WelcomeAsync();
            instance = stream.Hello.Instance;
            await stream.CreditAsync();
            await stream.LeaseAsync(Leases.New("elsewhere"));
            sent = await stream.FinishedAsync();
            await agent.KillAsync();
        }
        using (var again = Start())
        {
            var stream = await control.WelcomeAsync(generation: 2);
            Assert.Equal(instance, stream.Hello.Instance);
            Assert.Equal(sent.AttemptId, Assert.Single(stream.Hello.Held).AttemptId);
            Assert.Equal(sent, await stream.FinishedAsync());
            await stream.AcknowledgeAsync(sent.AttemptId);
            // A second result proves that the first came once: the agent sends in order.
            await stream.CreditAsync();
            var next = Leases.New("elsewhere");
            await stream.LeaseAsync(next);
            Assert.Equal(next.AttemptId, (await stream.FinishedAsync()).AttemptId);
            await stream.AcknowledgeAsync(next.AttemptId);
            again.Signal("TERM");
            Assert.Equal(0, await again.ExitAsync());
        }
        using var third = Start();
        Assert.Empty((await control.NextStreamAsync()).Hello.Held);
    }

    [Fact]
    public async Task Killed_with_a_lease_on_the_wire_the_agent_comes_back_without_it()
    {
        using (var agent = Start())
        {
            var stream = await control.WelcomeAsync();
            await stream.CreditAsync();
            // A stopped process holds the moment open: the lease has left control, and the agent does not know it.
            agent.Signal("STOP");
            await stream.LeaseAsync(Leases.New("elsewhere"));
            await agent.KillAsync();
        }
        using var again = Start();
        var after = await control.WelcomeAsync(generation: 2);

        Assert.Empty(after.Hello.Held);
        Assert.Equal(2, await after.CreditAsync());
    }

    [Fact]
    public async Task A_second_process_on_the_same_outbox_is_refused_in_one_line()
    {
        using var first = Start();
        await control.WelcomeAsync();
        using var second = Start();

        Assert.Equal(1, await second.ExitAsync());
        Assert.Contains("Another process holds the outbox directory", await second.Lines.WaitForAsync("cannot start"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_disk_stops_new_leases_and_loses_no_result()
    {
        // The limit refuses writes past 1 KiB as a full disk does, without the privileges that mounting one takes.
        using var agent = Start("trap '' XFSZ; ulimit -S -f 1; export DOTNET_EnableDiagnostics=0 DOTNET_EnableWriteXorExecute=0");
        var stream = await control.WelcomeAsync();
        var attempts = new HashSet<string>();
        while (attempts.Count < 50 && await LeaseOneAsync(stream, attempts)) { }
        await agent.Lines.WaitForAsync("no more leases are taken");

        var starved = await control.WelcomeAsync(generation: 2);
        Assert.Equal(attempts, starved.Hello.Held.Select(h => h.AttemptId).ToHashSet());
        Assert.Equal(0, starved.Credit);
        for (var onDisk = attempts.Count - 1; onDisk > 0; onDisk--)
            attempts.Remove((await starved.FinishedAsync()).AttemptId);

        using var raise = Process.Start("prlimit", [$"--pid={agent.Id.ToString(CultureInfo.InvariantCulture)}", "--fsize=unlimited"]);
        await raise.WaitForExitAsync(Patience.Token());
        Assert.Equal(Assert.Single(attempts), (await starved.FinishedAsync()).AttemptId);
        Assert.InRange(await starved.CreditAsync(), 1, 2);
    }

    /// <summary>False once the agent has ended the stream, because the disk took the last result no more.</summary>
    private static async Task<bool> LeaseOneAsync(FakeStream stream, HashSet<string> attempts)
    {
        var lease = Leases.New("elsewhere");
        attempts.Add(lease.AttemptId);
        await stream.LeaseAsync(lease);
        var finished = stream.FinishedAsync();
        return await Task.WhenAny(finished, stream.AgentEnded) == finished;
    }

    [Fact]
    public async Task A_second_signal_ends_the_agent_at_once()
    {
        // A service that takes the call and never answers: the first signal alone would wait for it.
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await File.WriteAllTextAsync(folder.Connections, $"connections:\n  kpi:\n    driver: http\n    endpoint: http://127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}\n");
        using var agent = Start();
        var stream = await control.WelcomeAsync();
        await stream.CreditAsync();
        var lease = Leases.New("kpi");
        (lease.CallJson, lease.ContractJson) = ("""{"kpi_id":"COO-OT-01","contract_version":"1.0.0"}""", Executors.Samples.Contract("COO-OT-01", "1.0.0").CanonicalJson!);
        await stream.LeaseAsync(lease);
        using var called = await silent.AcceptTcpClientAsync(Patience.Token());

        agent.Signal("TERM");
        await agent.Lines.WaitForAsync("The agent stops");
        // Signals that come close together are one wish: it is asked again until the wish is another.
        var ends = agent.Lines.WaitForAsync("the agent ends now");
        do
            agent.Signal("TERM");
        while (await Task.WhenAny(ends, Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Patience.Token())) != ends);
        Assert.Equal(1, await agent.ExitAsync());
    }

    [Fact]
    public async Task A_wrong_region_is_one_line_and_exit_code_1()
    {
        control.Refuse = new Status(StatusCode.PermissionDenied, "the token is for region us");
        using var agent = Start();

        Assert.Equal(1, await agent.ExitAsync());
        var line = await agent.Lines.WaitForAsync("the token is for region us");
        Assert.Contains("Agent:Region", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bad_settings_are_told_all_at_once_in_one_line()
    {
        using var agent = Start(null, ("Agent:Region", ""), ("Agent:Slots", "0"), ("Agent:ControlPlane:Address", "http://control.example.com"), ("Agent:ConnectionsFile", "/nowhere/c.yaml"));

        Assert.Equal(1, await agent.ExitAsync());
        var line = await agent.Lines.WaitForAsync("cannot start");
        foreach (var part in new[] { "Agent:Region is missing", "Agent:Slots must", "plain text", "/nowhere/c.yaml" })
            Assert.Contains(part, line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_that_the_connections_need_and_nobody_configured_is_told_at_start()
    {
        await File.WriteAllTextAsync(folder.Connections, "connections:\n  kpi:\n    driver: http\n    endpoint: http://127.0.0.1:1\n    credential: vault:secret/kpi/token#value\n");
        using var agent = Start(null, ("Agent:Secrets:AzureKeyVault:Address", "http://vault.example"), ("Agent:Secrets:AwsSecretsManager:Region", "eu-central-1"), ("Agent:Secrets:AwsSecretsManager:SecretAccessKey", "canary-written-here"));

        Assert.Equal(1, await agent.ExitAsync());
        var line = await agent.Lines.WaitForAsync("cannot start");
        foreach (var part in new[] { "Connection kpi refers to vault:secret/kpi/token#value", "set Agent:Secrets:Vault:Address", "AzureKeyVault:Address is no encrypted address", "AwsSecretsManager:SecretAccessKey is no reference" })
            Assert.Contains(part, line, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", agent.Lines.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_token_is_named_and_read_again()
    {
        control.Refuse = new Status(StatusCode.Unauthenticated, "expired");
        using var agent = Start();
        Assert.Contains("renew it there", await agent.Lines.WaitForAsync("does not accept the token in file:"), StringComparison.Ordinal);
        await File.WriteAllTextAsync(folder.Token, "renewed");
        control.Refuse = null;

        Assert.Equal("Bearer renewed", (await control.NextStreamAsync()).Authorization);
    }
}
