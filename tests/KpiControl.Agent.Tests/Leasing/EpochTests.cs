using KpiControl.Agent.Tests.Execution;
using KpiControl.Agent.Tests.Hosting;
using KpiControl.Protocol.V1;
using Message = KpiControl.Protocol.V1.AgentMessage.MessageOneofCase;

namespace KpiControl.Agent.Tests.Leasing;

/// <summary>What Welcome says of the cluster's epoch, and what the agent makes of it.</summary>
public sealed class EpochTests : IAsyncLifetime
{
    private readonly AgentFolder folder = new();
    private FakeControlPlane control = null!;
    private AgentInProcess agent = null!;

    public async ValueTask InitializeAsync()
    {
        control = await FakeControlPlane.StartAsync();
        agent = await new AgentInProcess(folder, control.Address, new ScriptedExecutor()).StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await agent.DisposeAsync();
        await control.DisposeAsync();
        folder.Dispose();
    }

    [Theory, InlineData(1, 2), InlineData(2, 1)] // lower: an old backup is in place
    public async Task Under_another_epoch_what_was_recorded_is_offered_again_until_it_is_answered(int before, int after)
    {
        var first = await WelcomeAsync(before, 1);
        var recorded = await RunAsync(first, before);
        await first.AcknowledgeAsync(recorded.AttemptId);
        var waiting = await RunAsync(first, before); // its place on the disk is behind the acknowledgement's
        first.End();

        var second = await WelcomeAsync(after, 2);
        Assert.Equal([waiting.AttemptId], second.Hello.Held.Select(h => h.AttemptId));
        Finished[] heard = [await second.FinishedAsync(), await second.FinishedAsync()];
        Assert.Equal(new[] { recorded, waiting }.OrderBy(f => f.AttemptId), heard.OrderBy(f => f.AttemptId));
        await second.AcknowledgeAsync(recorded.AttemptId, FinishedAck.Types.Outcome.AlreadyRecorded);
        await second.AcknowledgeAsync(waiting.AttemptId);
        await second.SendAsync(new ControlMessage { Reconnect = new Reconnect { Reason = "moving" } });

        // The same epoch again says nothing new: the next that is heard is of the next run.
        var third = await WelcomeAsync(after, 3);
        await RunAsync(third, after);
    }

    [Fact]
    public async Task A_control_plane_that_does_not_say_its_epoch_changes_nothing()
    {
        var first = await WelcomeAsync(1, 1);
        var recorded = await RunAsync(first, 1);
        await first.AcknowledgeAsync(recorded.AttemptId);
        var next = await RunAsync(first, 1);
        await first.AcknowledgeAsync(next.AttemptId);
        await first.SendAsync(new ControlMessage { Reconnect = new Reconnect { Reason = "moving" } });

        var second = await WelcomeAsync(0, 2);
        Assert.Empty(second.Hello.Held);
        await RunAsync(second, 1);
    }

    private async Task<FakeStream> WelcomeAsync(int epoch, int generation)
    {
        var stream = await control.NextStreamAsync();
        stream.ClusterEpoch = epoch;
        await stream.WelcomeAsync(1, generation, TimeSpan.FromSeconds(30));
        await stream.NextAsync(Message.Credit);
        return stream;
    }

    /// <summary>Leases one; what is heard next is its result.</summary>
    private static async Task<Finished> RunAsync(FakeStream stream, int epoch)
    {
        var lease = Leases.New(epoch: epoch);
        await stream.LeaseAsync(lease);
        var finished = await stream.FinishedAsync();
        Assert.Equal(lease.AttemptId, finished.AttemptId);
        return finished;
    }
}
