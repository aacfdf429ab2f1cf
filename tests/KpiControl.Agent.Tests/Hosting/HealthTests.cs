using System.Diagnostics;
using System.Net;
using KpiControl.Agent.Hosting;
using KpiControl.Agent.Tests.Execution;
using KpiControl.Agent.Tests.Leasing;

namespace KpiControl.Agent.Tests.Hosting;

/// <summary>What supervisors are told of an agent, by the shipped executable and within this process.</summary>
public sealed class HealthTests : IAsyncLifetime
{
    private readonly AgentFolder folder = new();
    private readonly HttpClient http = new();
    private FakeControlPlane control = null!;

    public async ValueTask InitializeAsync() => control = await FakeControlPlane.StartAsync();

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await control.DisposeAsync();
        folder.Dispose();
    }

    [Fact]
    public async Task An_agent_is_live_at_once_and_ready_while_it_has_a_stream()
    {
        using var agent = Start(("Agent:Health:Listen", "http://127.0.0.1:0"));
        var address = (await agent.Lines.WaitForAsync("Health is served at")).Split("served at ")[1].Trim().TrimEnd('.');
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(address, "live")).Status);
        var before = await AskAsync(address, "ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, before.Status);
        Assert.Contains("no stream to the control plane", before.Said, StringComparison.Ordinal);

        var stream = await control.WelcomeAsync();
        await stream.CreditAsync();
        Assert.Equal((HttpStatusCode.OK, """{"status":"ok","lacks":[]}"""), await AskAsync(address, "ready"));
        Assert.Equal(0, (await ProbeAsync(address)).Code);
        Assert.Equal(HttpStatusCode.NotFound, (await AskAsync(address, "")).Status);

        // The next stream is asked for, and nobody welcomes it.
        stream.End();
        await control.NextStreamAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await AskAsync(address, "ready")).Status);
        Assert.Equal(1, (await ProbeAsync(address)).Code);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(address, "live")).Status);
    }

    [Fact]
    public async Task A_stopping_agent_is_still_asked()
    {
        var gate = new TaskCompletionSource();
        var executor = new ScriptedExecutor { Script = async (_, _, _) => { await gate.Task; return ScriptedExecutor.Success; } };
        await using var agent = await new AgentInProcess(folder, control.Address, executor, ("Agent:Health:Listen", "http://127.0.0.1:0")).StartAsync();
        var address = agent.Get<HealthEndpoint>().Address;
        var stream = await control.WelcomeAsync();
        await stream.CreditAsync();
        await stream.LeaseAsync(Leases.New());
        await stream.NextAsync(Protocol.V1.AgentMessage.MessageOneofCase.Started);

        var stopping = agent.StopAsync();
        await stream.NextAsync(Protocol.V1.AgentMessage.MessageOneofCase.Draining);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(address, "live")).Status);
        gate.SetResult();
        await stream.AcknowledgeAsync((await stream.FinishedAsync()).AttemptId);
        await stopping;
    }

    [Fact]
    public async Task Without_an_address_no_port_is_opened_and_there_is_nothing_to_ask()
    {
        await using var agent = await new AgentInProcess(folder, control.Address, new ScriptedExecutor()).StartAsync();
        Assert.Equal("", agent.Get<HealthEndpoint>().Address);
        Assert.Equal((1, true), (await ProbeAsync("")) is var probe ? (probe.Code, probe.Said.Contains("names no address", StringComparison.Ordinal)) : default);
    }

    [Fact]
    public async Task An_address_that_is_taken_or_none_is_told_in_one_line()
    {
        using var bad = Start(("Agent:Health:Listen", "https://agent:1/x"));
        Assert.Equal(1, await bad.ExitAsync());
        Assert.Contains("is not an address like http://127.0.0.1:7403", await bad.Lines.WaitForAsync("cannot start"), StringComparison.Ordinal);
        using var collector = Start(("Agent:Telemetry:OtlpEndpoint", "http://user:geheim@127.0.0.1:4317"));
        Assert.Equal(1, await collector.ExitAsync());
        Assert.Contains("Agent:Telemetry:OtlpEndpoint (not shown) is not an address", await collector.Lines.WaitForAsync("cannot start"), StringComparison.Ordinal);
        using var taken = Start(("Agent:Health:Listen", control.Address));
        Assert.Equal(1, await taken.ExitAsync());
        Assert.Contains("Choose another port", await taken.Lines.WaitForAsync("cannot start"), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_lacking_is_said_all_at_once()
    {
        Assert.Empty(Health.Words(hasStream: true, isWritable: true));
        Assert.Contains("outbox cannot be written", Assert.Single(Health.Words(hasStream: true, isWritable: false)), StringComparison.Ordinal);
        Assert.Equal(2, Health.Words(hasStream: false, isWritable: false).Count);
    }

    private AgentProcess Start(params (string Key, string Value)[] settings)
    {
        var all = folder.Settings(control.Address);
        foreach (var (key, value) in settings)
            all[key] = value;
        return new AgentProcess(all);
    }

    private async Task<(HttpStatusCode Status, string Said)> AskAsync(string address, string what)
    {
        using var answer = await http.GetAsync(new Uri($"{address}/health/{what}"), Patience.Token());
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Patience.Token()));
    }

    /// <summary>As a container's HEALTHCHECK does.</summary>
    private static async Task<(int Code, string Said)> ProbeAsync(string listen)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "kpi-agent"), ["health"]) { RedirectStandardOutput = true };
        start.Environment["Agent__Health__Listen"] = listen;
        using var probe = Process.Start(start)!;
        var said = await probe.StandardOutput.ReadToEndAsync(Patience.Token());
        await probe.WaitForExitAsync(Patience.Token());
        return (probe.ExitCode, said);
    }
}
