using System.Diagnostics;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Bench;

/// <summary>One agent's stream whose executor does nothing: everything else is the product's.</summary>
internal sealed class BenchAgent : IAsyncDisposable
{
    private readonly GrpcChannel _channel;
    private readonly AsyncDuplexStreamingCall<AgentMessage, ControlMessage> _call;
    private readonly SemaphoreSlim _write = new(1);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<double> _delays = [];
    private TaskCompletionSource _reached = new();
    private int _acknowledged, _target = int.MaxValue;

    private BenchAgent(GrpcChannel channel, AsyncDuplexStreamingCall<AgentMessage, ControlMessage> call) => (_channel, _call) = (channel, call);

    /// <summary>Milliseconds from a slot's instant to its lease's arrival here; one machine, one clock.</summary>
    public List<double> Delays => _delays;

    public static async Task<BenchAgent> ConnectAsync(string url, TestIssuer issuer, int slots)
    {
        var channel = GrpcChannel.ForAddress(url, new GrpcChannelOptions { MaxReceiveMessageSize = null });
        var call = new AgentService.AgentServiceClient(channel).Work(new Metadata { { "authorization", $"Bearer {issuer.AgentToken("bench", "eu", "acme")}" } });
        var agent = new BenchAgent(channel, call);
        var hello = new Hello { Agent = "bench", Region = "eu", Instance = Guid.NewGuid().ToString(), ProtocolMin = 1, ProtocolMax = 1, Build = "bench", Slots = slots };
        hello.Connections.Add("default", "sql");
        await agent.SayAsync(new AgentMessage { Hello = hello });
        _ = agent.ReadAsync();
        _ = agent.HeartbeatAsync();
        return agent;
    }

    public Task CreditAsync(int slots) => SayAsync(new AgentMessage { Credit = new Credit { Slots = slots } });

    /// <summary>Completes when so many more runs are acknowledged.</summary>
    public Task AcknowledgedAsync(int runs)
    {
        _reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _target = Volatile.Read(ref _acknowledged) + runs;
        return _reached.Task;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _call.Dispose();
        _channel.Dispose();
    }

    private async Task ReadAsync()
    {
        try
        {
            await foreach (var message in _call.ResponseStream.ReadAllAsync(_stop.Token))
                if (message.LeaseBatch is { } batch)
                    await RunAsync(batch);
                else if (message.FinishedAckBatch is { } acks)
                    Acknowledge(acks);
        }
        catch (Exception ended) when (ended is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled })
        {
            // The end of the measurement.
        }
        catch (Exception broken)
        {
            _reached.TrySetException(broken);
        }
    }

    private async Task RunAsync(LeaseBatch batch)
    {
        var now = TimeProvider.System.GetUtcNow();
        var at = now.ToTimestamp();
        foreach (var lease in batch.Leases)
        {
            _delays.Add((now - lease.ScheduledFor.ToDateTimeOffset()).TotalMilliseconds);
            await SayAsync(new AgentMessage
            {
                Finished = new Finished
                {
                    AttemptId = lease.AttemptId, BindingId = lease.BindingId, SlotKey = lease.SlotKey, Fence = lease.Fence, Status = "success", Executor = "bench",
                    AgentBuild = "bench", StartedAt = at, FinishedAt = at, RowsProcessed = 1000, DataPoints = 12,
                },
            });
        }
    }

    private void Acknowledge(FinishedAckBatch acks)
    {
        var wrong = acks.Acks.FirstOrDefault(a => a.Outcome != FinishedAck.Types.Outcome.Recorded);
        if (wrong is not null)
            _reached.TrySetException(new InvalidOperationException($"A run was answered {wrong.Outcome}: {wrong.Detail}"));
        _ = CreditAsync(acks.Acks.Count);
        if (Interlocked.Add(ref _acknowledged, acks.Acks.Count) >= _target)
            _reached.TrySetResult();
    }

    private async Task HeartbeatAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(5));
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
                await SayAsync(new AgentMessage { Heartbeat = new Heartbeat { Sequence = Stopwatch.GetTimestamp() } });
        }
        catch (Exception ended) when (ended is OperationCanceledException or RpcException or InvalidOperationException)
        {
            // The stream's end is reported by its reader.
        }
    }

    private async Task SayAsync(AgentMessage message)
    {
        await _write.WaitAsync(_stop.Token);
        try
        {
            await _call.RequestStream.WriteAsync(message, _stop.Token);
        }
        finally
        {
            _write.Release();
        }
    }
}
