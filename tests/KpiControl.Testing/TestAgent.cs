using Google.Protobuf;
using System.Collections.Concurrent;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Protocol.V1;

namespace KpiControl.Testing;

/// <summary>An agent as the protocol describes it, driven by hand: it executes nothing, it holds, reports and falls silent when told to.</summary>
public sealed class TestAgent : IAsyncDisposable
{
    private readonly AsyncDuplexStreamingCall<AgentMessage, ControlMessage> _call;
    private readonly ConcurrentQueue<ControlMessage> _heard = new();
    private readonly SemaphoreSlim _news = new(0);
    private readonly SemaphoreSlim _write = new(1);
    private readonly List<Lease> _leases = [];

    private TestAgent(AsyncDuplexStreamingCall<AgentMessage, ControlMessage> call) => _call = call;

    public Welcome Welcome { get; private set; } = new();

    /// <summary>Completes when the stream has ended, with the status it ended with.</summary>
    public Task<Status> Ended { get; private set; } = Task.FromResult(Status.DefaultSuccess);

    public IReadOnlyList<Lease> Leases => _leases;

    public static async Task<TestAgent> ConnectAsync(ChannelBase channel, string agent = "agent-eu", string region = "eu", Guid? instance = null, int credit = 0, string? stages = null, params HeldAttempt[] held)
    {
        var test = new TestAgent(new AgentService.AgentServiceClient(channel).Work());
        test.Ended = test.ReadAsync();
        var hello = new Hello { Agent = agent, Region = region, Instance = (instance ?? Guid.NewGuid()).ToString(), ProtocolMin = 1, ProtocolMax = 1, Build = "test", Slots = Math.Max(1, credit) };
        hello.Connections.Add("default", "sql");
        if (stages is not null)
            hello.ConnectionStages.Add("default", stages);
        hello.Held.AddRange(held);
        try
        {
            await test.SayAsync(new AgentMessage { Hello = hello });
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException or IOException)
        {
            // Who is not let in may find the stream closed before Hello is out: how it ended says why.
            throw new RpcException(await test.Ended);
        }
        test.Welcome = (await test.NextAsync(m => m.Welcome is not null)).Welcome;
        if (credit > 0)
            await test.CreditAsync(credit);
        return test;
    }

    public Task CreditAsync(int slots) => SayAsync(new AgentMessage { Credit = new Credit { Slots = slots } });

    public Task HeartbeatAsync(long sequence = 1) => SayAsync(new AgentMessage { Heartbeat = new Heartbeat { Sequence = sequence } });

    /// <summary>The next lease, within a minute.</summary>
    public async Task<Lease> LeaseAsync(int number = 1)
    {
        while (_leases.Count < number)
            await NextAsync(m => m.Leases is not null);
        return _leases[number - 1];
    }

    public async Task<FinishedAck> FinishAsync(Finished finished)
    {
        await SayAsync(Report(finished));
        return (await NextAsync(m => m.FinishedAcks?.Acks.Any(a => a.AttemptId == finished.AttemptId) == true))
            .FinishedAcks.Acks.First(a => a.AttemptId == finished.AttemptId);
    }

    public static AgentMessage Report(params IEnumerable<Finished> results) =>
        new() { Finished = new FinishedBatch { Results = { results.Select(r => r.ToByteString()) } } };

    public static Finished Success(Lease lease) => Result(lease, "success");

    public static Finished Failure(Lease lease, string code = "SQL_ERROR", string category = "execution")
    {
        var failed = Result(lease, "failed");
        (failed.ErrorCode, failed.ErrorCategory, failed.ErrorMessage) = (code, category, "It failed.");
        return failed;
    }

    public static Finished Result(Lease lease, string status) => new()
    {
        AttemptId = lease.AttemptId, BindingId = lease.BindingId, SlotKey = lease.SlotKey, Fence = lease.Fence, Status = status, Executor = "test", AgentBuild = "test",
        StartedAt = lease.ScheduledFor, FinishedAt = lease.ScheduledFor + Duration.FromTimeSpan(TimeSpan.FromSeconds(1)), RowsProcessed = 3,
    };

    public static HeldAttempt Holding(Lease lease) => new() { AttemptId = lease.AttemptId, BindingId = lease.BindingId, Fence = lease.Fence };

    public async Task SayAsync(AgentMessage message)
    {
        await _write.WaitAsync();
        try
        {
            await _call.RequestStream.WriteAsync(message);
        }
        finally
        {
            _write.Release();
        }
    }

    /// <summary>A node that stops asks its agents to connect elsewhere; where the close of the connection overtakes the message, the stream has ended.</summary>
    public async Task SentAwayAsync()
    {
        try
        {
            await NextAsync(m => m.Reconnect is not null);
        }
        catch (RpcException)
        {
        }
    }

    /// <summary>The next message that fits, within a minute; messages before it are kept for those who wait for them.</summary>
    public async Task<ControlMessage> NextAsync(Func<ControlMessage, bool> fits)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (true)
        {
            // Asked before the look: what came until the end is in it, also messages that nobody waits for any more.
            var ended = Ended.IsCompleted;
            for (var left = _heard.Count; left > 0 && _heard.TryDequeue(out var message); left--)
                if (fits(message))
                    return message;
                else
                    _heard.Enqueue(message);
            if (ended)
                throw new RpcException(await Ended);
            // The end is told by its own task: a bell that is rung before that is complete would be heard too soon, and once.
            await await Task.WhenAny(_news.WaitAsync(limit.Token), Ended);
        }
    }

    public ValueTask DisposeAsync()
    {
        _call.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<Status> ReadAsync()
    {
        try
        {
            await foreach (var message in _call.ResponseStream.ReadAllAsync())
            {
                if (message.Leases is { } batch)
                    lock (_leases)
                        _leases.AddRange(batch.Leases);
                _heard.Enqueue(message);
                _news.Release();
            }
            return _call.GetStatus();
        }
        catch (RpcException ended)
        {
            return ended.Status;
        }
        catch (ObjectDisposedException)
        {
            return Status.DefaultCancelled;
        }
    }
}
