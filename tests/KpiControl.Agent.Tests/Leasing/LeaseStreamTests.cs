using KpiControl.Agent.Tests.Execution;
using KpiControl.Agent.Tests.Hosting;
using KpiControl.Protocol.V1;
using Message = KpiControl.Protocol.V1.AgentMessage.MessageOneofCase;

namespace KpiControl.Agent.Tests.Leasing;

public sealed class LeaseStreamTests : IAsyncLifetime
{
    private readonly AgentFolder folder = new();
    private readonly ScriptedExecutor executor = new();
    private FakeControlPlane control = null!;
    private AgentInProcess agent = null!;

    public async ValueTask InitializeAsync()
    {
        control = await FakeControlPlane.StartAsync();
        agent = await new AgentInProcess(folder, control.Address, executor).StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await agent.DisposeAsync();
        await control.DisposeAsync();
        folder.Dispose();
    }

    [Fact]
    public async Task Hello_says_who_the_agent_is_and_what_it_can()
    {
        var stream = await control.NextStreamAsync();

        Assert.Equal("Bearer test-token", stream.Authorization);
        Assert.Equal(("agent-1", "eu", 2), (stream.Hello.Agent, stream.Hello.Region, stream.Hello.Slots));
        Assert.Equal("sql", stream.Hello.Connections["test"]);
        Assert.True(Guid.TryParse(stream.Hello.Instance, out _));
        Assert.Empty(stream.Hello.Held);
    }

    [Fact]
    public async Task A_lease_becomes_a_result_and_its_slot_becomes_credit()
    {
        var stream = await control.WelcomeAsync();
        Assert.Equal(2, await stream.CreditAsync());
        var lease = Leases.New();
        await stream.LeaseAsync(lease);

        var started = (await stream.NextAsync(Message.Started)).Started.Attempts.Single();
        var finished = await stream.FinishedAsync();

        Assert.Equal(lease.AttemptId, started.AttemptId);
        Assert.Equal((lease.AttemptId, lease.BindingId, lease.SlotKey, lease.Fence, "success", 3L),
            (finished.AttemptId, finished.BindingId, finished.SlotKey, finished.Fence, finished.Status, finished.RowsProcessed));
        Assert.NotEmpty(finished.AgentBuild);
    }

    [Fact]
    public async Task Credit_and_what_runs_never_exceed_the_slots()
    {
        var running = 0;
        var most = 0;
        executor.Script = async (_, _, _) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref running));
            await Task.Yield();
            Interlocked.Decrement(ref running);
            return ScriptedExecutor.Success;
        };
        var stream = await control.WelcomeAsync();
        var finished = 0;
        while (finished < 200)
        {
            var credit = await stream.CreditAsync();
            Assert.InRange(stream.Credit, 1, 2);
            await stream.LeaseAsync([.. Enumerable.Range(0, credit).Select(_ => Leases.New())]);
            for (var i = 0; i < credit; i++, finished++)
                await stream.AcknowledgeAsync((await stream.FinishedAsync()).AttemptId);
        }
        Assert.InRange(most, 1, 2);
    }

    [Fact]
    public async Task Leases_beyond_the_credit_wait_for_a_slot()
    {
        var gate = new TaskCompletionSource();
        using var entered = new SemaphoreSlim(0);
        executor.Script = async (_, _, _) => { entered.Release(); await gate.Task; return ScriptedExecutor.Success; };
        var stream = await control.WelcomeAsync();
        await stream.CreditAsync();
        await stream.LeaseAsync([.. Enumerable.Range(0, 5).Select(_ => Leases.New())]);
        await stream.NextAsync(Message.Started);
        await stream.NextAsync(Message.Started);
        await agent.Lines.WaitForAsync("came without credit");
        // Started is said before the executor is entered.
        Assert.True(await entered.WaitAsync(TimeSpan.FromMinutes(1)) && await entered.WaitAsync(TimeSpan.FromMinutes(1)));
        Assert.Equal(2, executor.Calls.Count);

        gate.SetResult();
        for (var i = 0; i < 5; i++)
            await stream.FinishedAsync();
    }

    [Fact]
    public async Task A_cut_changes_nothing_for_an_attempt_and_the_session_is_resumed()
    {
        var gate = new TaskCompletionSource();
        executor.Script = async (_, _, _) => { await gate.Task; return ScriptedExecutor.Success; };
        var first = await control.WelcomeAsync(session: 42);
        await first.CreditAsync();
        var lease = Leases.New();
        await first.LeaseAsync(lease);
        await first.NextAsync(Message.Started);
        first.End();

        var second = await control.WelcomeAsync(session: 42, generation: 2);

        Assert.Equal(first.Hello.Instance, second.Hello.Instance);
        Assert.Equal(lease.AttemptId, Assert.Single(second.Hello.Held).AttemptId);
        Assert.Equal(1, await second.CreditAsync());
        gate.SetResult();
        Assert.Equal(lease.AttemptId, (await second.FinishedAsync()).AttemptId);
        Assert.Single(executor.Calls);
    }

    [Fact]
    public async Task What_was_not_acknowledged_is_sent_again_byte_for_byte_until_it_is()
    {
        var first = await control.WelcomeAsync();
        await first.CreditAsync();
        await first.LeaseAsync(Leases.New());
        var sent = await first.FinishedAsync();
        first.End();

        var second = await control.WelcomeAsync(generation: 2);
        Assert.Equal(sent.AttemptId, Assert.Single(second.Hello.Held).AttemptId);
        Assert.Equal(sent, await second.FinishedAsync());
        await second.AcknowledgeAsync(sent.AttemptId);
        await second.SendAsync(new ControlMessage { Reconnect = new Reconnect { Reason = "moving" } });

        var third = await control.WelcomeAsync(generation: 3);
        Assert.Empty(third.Hello.Held);
    }

    [Fact]
    public async Task Lost_trust_stops_an_attempt_and_reports_nothing_of_it()
    {
        executor.Script = ScriptedExecutor.UntilStopped;
        var deaf = await control.NextStreamAsync();
        deaf.AnswersHeartbeats = false;
        await deaf.WelcomeAsync(1, 1, TimeSpan.FromSeconds(2));
        await deaf.CreditAsync();
        var lease = Leases.New();
        await deaf.LeaseAsync(lease);
        // The agent gives the deaf stream up before its trust ends, and asks again; nobody answers that either.
        var silent = await control.NextStreamAsync();
        Assert.Equal(lease.AttemptId, Assert.Single(silent.Hello.Held).AttemptId);
        await agent.Lines.WaitForAsync("attempts are stopped, others may hold their leases");
        await agent.Lines.WaitForAsync("LostTrust");
        silent.End();

        var next = await control.WelcomeAsync(session: 2);
        Assert.Empty(next.Hello.Held);
        Assert.Equal(2, await next.CreditAsync());
        await agent.StopAsync();
        Assert.DoesNotContain(await next.RestAsync(), m => m.MessageCase == Message.Finished);
    }

    [Fact]
    public async Task A_result_in_hand_is_reported_though_its_lease_was_lost()
    {
        var first = await control.WelcomeAsync();
        await first.CreditAsync();
        await first.LeaseAsync(Leases.New());
        var sent = await first.FinishedAsync();
        first.End();

        var second = await control.WelcomeAsync(session: 2, lost: sent.AttemptId);

        Assert.Equal(sent, await second.FinishedAsync());
        await second.AcknowledgeAsync(sent.AttemptId, FinishedAck.Types.Outcome.Stale);
        await agent.Lines.WaitForAsync("changed nothing: Stale");
    }

    [Fact]
    public async Task An_attempt_whose_lease_was_lost_is_stopped()
    {
        executor.Script = ScriptedExecutor.UntilStopped;
        var first = await control.WelcomeAsync();
        await first.CreditAsync();
        var lease = Leases.New();
        await first.LeaseAsync(lease);
        await first.NextAsync(Message.Started);
        first.End();

        var second = await control.WelcomeAsync(session: 2, lost: lease.AttemptId);

        await agent.Lines.WaitForAsync("stopped (LostLease)");
        Assert.InRange(await second.CreditAsync(), 1, 2);
    }

    [Fact]
    public async Task Control_cancels_an_attempt_and_hears_so()
    {
        executor.Script = ScriptedExecutor.UntilStopped;
        var stream = await control.WelcomeAsync();
        await stream.CreditAsync();
        var lease = Leases.New();
        await stream.LeaseAsync(lease);
        await stream.NextAsync(Message.Started);
        await stream.SendAsync(new ControlMessage { Cancel = new Cancel { AttemptId = lease.AttemptId, Reason = "by hand" } });

        Assert.Equal("cancelled", (await stream.FinishedAsync()).Status);
    }

    [Fact]
    public async Task A_contract_is_needed_once_a_session()
    {
        var stream = await control.WelcomeAsync();
        await stream.CreditAsync();
        var (with, without) = (Leases.New(), Leases.New());
        without.ContractJson = "";
        await stream.LeaseAsync(with, without);
        await stream.FinishedAsync();
        await stream.FinishedAsync();

        Assert.All(executor.Calls, call => Assert.Equal(with.ContractJson, call.ContractJson));
    }

    [Fact]
    public async Task An_agent_that_is_drained_by_an_operator_finishes_and_takes_no_more()
    {
        var gate = new TaskCompletionSource();
        executor.Script = async (_, _, _) => { await gate.Task; return ScriptedExecutor.Success; };
        var stream = await control.WelcomeAsync();
        await stream.CreditAsync();
        await stream.LeaseAsync(Leases.New());
        await stream.NextAsync(Message.Started);
        await stream.SendAsync(new ControlMessage { Drain = new Drain { Reason = "by hand." } });
        await stream.NextAsync(Message.Draining);
        gate.SetResult();
        var finished = await stream.FinishedAsync();
        await stream.AcknowledgeAsync(finished.AttemptId);
        await agent.StopAsync();

        Assert.DoesNotContain(await stream.RestAsync(), m => m.MessageCase == Message.Credit);
    }

    [Fact]
    public async Task Recorded_results_are_offered_again_when_the_cluster_epoch_rises()
    {
        var stream = await control.WelcomeAsync();
        await stream.CreditAsync();
        var (kept, stale) = (Leases.New(epoch: 1), Leases.New(epoch: 1));
        await stream.LeaseAsync(kept, stale);
        var results = new[] { await stream.FinishedAsync(), await stream.FinishedAsync() }.ToDictionary(f => f.AttemptId);
        await stream.AcknowledgeAsync(kept.AttemptId);
        await stream.AcknowledgeAsync(stale.AttemptId, FinishedAck.Types.Outcome.Stale);
        await stream.SendAsync(new ControlMessage { Reconnect = new Reconnect() });

        var after = await control.WelcomeAsync(session: 2);
        await after.CreditAsync();
        var later = Leases.New(epoch: 2);
        await after.LeaseAsync(later);
        var seen = new[] { await after.FinishedAsync(), await after.FinishedAsync() };

        Assert.Equal(new[] { kept.AttemptId, later.AttemptId }.Order(), seen.Select(f => f.AttemptId).Order());
        Assert.Equal(results[kept.AttemptId], seen.Single(f => f.AttemptId == kept.AttemptId));
    }
}
