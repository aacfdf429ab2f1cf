using KpiControl.Agent.Tests.Execution;
using KpiControl.Agent.Tests.Hosting;
using Message = KpiControl.Protocol.V1.AgentMessage.MessageOneofCase;

namespace KpiControl.Agent.Tests.Leasing;

public sealed class DrainTests : IDisposable
{
    private readonly AgentFolder folder = new();
    private readonly ScriptedExecutor executor = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_stopping_agent_finishes_delivers_and_ends_its_stream()
    {
        await using var control = await FakeControlPlane.StartAsync();
        await using var agent = await new AgentInProcess(folder, control.Address, executor).StartAsync();
        var gate = new TaskCompletionSource();
        executor.Script = async (_, _, _) => { await gate.Task; return ScriptedExecutor.Success; };
        var stream = await control.WelcomeAsync();
        await stream.CreditAsync();
        await stream.LeaseAsync(Leases.New());
        await stream.NextAsync(Message.Started);

        var stopping = agent.StopAsync();
        Assert.Empty((await stream.NextAsync(Message.Draining)).Draining.ReturnedAttempts);
        var late = Leases.New();
        await stream.LeaseAsync(late);
        Assert.Equal([late.AttemptId], (await stream.NextAsync(Message.Draining)).Draining.ReturnedAttempts);
        gate.SetResult();
        await stream.AcknowledgeAsync((await stream.FinishedAsync()).AttemptId);
        await stopping;

        Assert.Empty(await stream.RestAsync());
        Assert.Single(executor.Calls);
    }

    [Fact]
    public async Task What_does_not_finish_within_the_bound_is_returned()
    {
        await using var control = await FakeControlPlane.StartAsync();
        await using var agent = await new AgentInProcess(folder, control.Address, executor, ("Agent:Execution:FinishFor", "00:00:00")).StartAsync();
        executor.Script = ScriptedExecutor.UntilStopped;
        var stream = await control.WelcomeAsync();
        await stream.CreditAsync();
        var lease = Leases.New();
        await stream.LeaseAsync(lease);
        await stream.NextAsync(Message.Started);
        await agent.StopAsync();

        var rest = await stream.RestAsync();
        Assert.Equal(lease.AttemptId, Assert.Single(rest.Where(m => m.Draining is not null).SelectMany(m => m.Draining.ReturnedAttempts)));
        Assert.DoesNotContain(rest, m => m.Finished is not null);
    }

    [Fact]
    public async Task An_agent_without_a_control_plane_stops_too()
    {
        await using var agent = await new AgentInProcess(folder, "http://127.0.0.1:1", executor).StartAsync();
        await agent.Lines.WaitForAsync("cannot be reached");

        await agent.StopAsync();
    }
}
