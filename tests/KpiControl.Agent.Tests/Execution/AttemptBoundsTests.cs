using KpiControl.Agent.Executors;
using KpiControl.Agent.Tests.Hosting;
using KpiControl.Agent.Tests.Leasing;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Tests.Execution;

public sealed class AttemptBoundsTests : IAsyncLifetime
{
    private readonly AgentFolder folder = new();
    private readonly ScriptedExecutor executor = new();
    private FakeControlPlane control = null!;
    private AgentInProcess agent = null!;
    private FakeStream stream = null!;

    public async ValueTask InitializeAsync()
    {
        control = await FakeControlPlane.StartAsync();
        agent = await new AgentInProcess(folder, control.Address, executor, ("Agent:Execution:GentleFor", "00:00:00.05"), ("Agent:Execution:ForceFor", "00:00:00.05")).StartAsync();
        stream = await control.WelcomeAsync();
        await stream.CreditAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await agent.DisposeAsync();
        await control.DisposeAsync();
        folder.Dispose();
    }

    private async Task<Finished> RunAsync(Lease lease)
    {
        await stream.LeaseAsync(lease);
        return await stream.FinishedAsync();
    }

    [Fact]
    public async Task An_attempt_past_its_timeout_is_EXEC_TIMEOUT()
    {
        executor.Script = ScriptedExecutor.UntilStopped;

        var finished = await RunAsync(Leases.New(timeout: TimeSpan.FromMilliseconds(50)));

        Assert.Equal(("failed", "execution", "EXEC_TIMEOUT"), (finished.Status, finished.ErrorCategory, finished.ErrorCode));
    }

    [Fact]
    public async Task An_executor_that_ignores_the_gentle_token_is_stopped_by_force()
    {
        var forced = new TaskCompletionSource();
        executor.Script = async (_, _, force) =>
        {
            await using var registration = force.Register(forced.SetResult);
            await forced.Task;
            throw new OperationCanceledException(force);
        };

        Assert.Equal("EXEC_TIMEOUT", (await RunAsync(Leases.New(timeout: TimeSpan.FromMilliseconds(20)))).ErrorCode);
        Assert.True(forced.Task.IsCompleted);
    }

    [Fact]
    public async Task An_executor_that_never_returns_is_abandoned_and_its_slot_is_free_again()
    {
        executor.Script = (_, _, _) => new TaskCompletionSource<Outcome>().Task;

        Assert.Equal("EXEC_TIMEOUT", (await RunAsync(Leases.New(timeout: TimeSpan.FromMilliseconds(20)))).ErrorCode);
        await agent.Lines.WaitForAsync("is abandoned");
        Assert.Equal(1, await stream.CreditAsync());
    }

    [Fact]
    public async Task An_executor_that_blocks_its_thread_does_not_stop_the_others()
    {
        using var block = new ManualResetEventSlim();
        executor.Script = (lease, _, _) =>
        {
            if (lease.Lease.JobId == "blocks")
                block.Wait();
            return Task.FromResult(ScriptedExecutor.Success);
        };
        var blocked = Leases.New();
        blocked.JobId = "blocks";
        await stream.LeaseAsync(blocked);

        Assert.Equal("success", (await RunAsync(Leases.New())).Status);
        block.Set();
        Assert.Equal(blocked.AttemptId, (await stream.FinishedAsync()).AttemptId);
    }

    [Fact]
    public async Task A_result_that_came_despite_the_timeout_is_the_result()
    {
        executor.Script = async (lease, gentle, force) =>
        {
            await ScriptedExecutor.UntilStopped(lease, gentle, force);
            return ScriptedExecutor.Success;
        };

        Assert.Equal("success", (await RunAsync(Leases.New(timeout: TimeSpan.FromMilliseconds(20)))).Status);
    }

    [Fact]
    public async Task An_executor_that_breaks_is_INTERNAL_and_its_message_stays_here()
    {
        executor.Script = (_, _, _) => throw new InvalidOperationException("password=hunter2");

        var finished = await RunAsync(Leases.New());

        Assert.Equal(("failed", "platform", "INTERNAL"), (finished.Status, finished.ErrorCategory, finished.ErrorCode));
        Assert.Contains("InvalidOperationException", finished.ErrorMessage, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", finished.ToString() + agent.Lines.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_the_agent_lacks_fails_at_once_and_is_named()
    {
        var finished = await RunAsync(Leases.New(connection: "elsewhere"));

        Assert.Equal(("failed", "INTERNAL"), (finished.Status, finished.ErrorCode));
        Assert.Contains("no connection 'elsewhere'", finished.ErrorMessage, StringComparison.Ordinal);
        Assert.Empty(executor.Calls);
    }

    [Theory]
    [InlineData("test", "sql")]
    [InlineData("service", "http")]
    public async Task A_contract_that_never_came_fails_the_attempt_and_not_the_agent_whatever_executes_it(string connection, string kind)
    {
        var lease = Leases.New(connection: connection);
        lease.ContractJson = "";

        var finished = await RunAsync(lease);
        Assert.Equal(("failed", "INTERNAL", kind), (finished.Status, finished.ErrorCode, finished.Executor));
        Assert.Contains("was not sent", finished.ErrorMessage, StringComparison.Ordinal);
        Assert.Equal("success", (await RunAsync(Leases.New())).Status);
    }

    [Fact]
    public async Task An_outcome_that_cannot_be_reported_frees_its_slot_and_control_hears_that_nothing_is_held()
    {
        executor.Script = (_, _, _) => Task.FromResult(ScriptedExecutor.Success with { ErrorMessage = null! });
        await stream.LeaseAsync(Leases.New());

        var next = await control.WelcomeAsync();

        Assert.Empty(next.Hello.Held);
        Assert.Equal(2, await next.CreditAsync());
    }
}
