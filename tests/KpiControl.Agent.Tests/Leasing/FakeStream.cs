using System.Threading.Channels;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Tests.Leasing;

/// <summary>One stream as control sees it.</summary>
public sealed class FakeStream(Hello hello, string authorization, IServerStreamWriter<ControlMessage> responses, CancellationToken over)
{
    private readonly Channel<AgentMessage> received = Channel.CreateUnbounded<AgentMessage>();
    private readonly TaskCompletionSource<Status?> end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<AgentMessage> unread = [];
    private readonly SemaphoreSlim sending = new(1);

    public Hello Hello { get; } = hello;
    public string Authorization { get; } = authorization;
    /// <summary>Completes when the agent's side is over.</summary>
    public Task AgentEnded => agentEnded.Task;
    /// <summary>False: control has gone deaf, though the connection lives.</summary>
    public bool AnswersHeartbeats { get; set; } = true;
    public int Credit { get; private set; }
    private readonly TaskCompletionSource agentEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task SendAsync(ControlMessage message) => WriteAsync(message);

    /// <summary>What a Welcome tells; 0 as a control plane that says none.</summary>
    public int ClusterEpoch { get; set; }

    public Task WelcomeAsync(long session, int generation, TimeSpan ttl, params string[] lost) => SendAsync(new ControlMessage
    {
        Welcome = new Welcome
        {
            SessionId = session,
            Generation = generation,
            Ttl = Duration.FromTimeSpan(ttl),
            HeartbeatInterval = Duration.FromTimeSpan(ttl / 3),
            Protocol = 1,
            Node = "fake",
            ClusterEpoch = ClusterEpoch,
            LostAttempts = { lost },
        },
    });

    public Task LeaseAsync(params Lease[] leases)
    {
        Credit -= leases.Length;
        return SendAsync(new ControlMessage { Leases = new LeaseBatch { Leases = { leases } } });
    }

    public Task AcknowledgeAsync(string attemptId, FinishedAck.Types.Outcome outcome = FinishedAck.Types.Outcome.Recorded) =>
        SendAsync(new ControlMessage { FinishedAcks = new FinishedAckBatch { Acks = { new FinishedAck { AttemptId = attemptId, Outcome = outcome } } } });

    /// <summary>The next message of this kind; others that come before it wait for whoever asks for theirs.</summary>
    public async Task<AgentMessage> NextAsync(AgentMessage.MessageOneofCase kind)
    {
        while (unread.FirstOrDefault(m => m.MessageCase == kind) is null)
            unread.Add(await received.Reader.ReadAsync(Patience.Token()));
        var message = unread.First(m => m.MessageCase == kind);
        unread.Remove(message);
        return message;
    }

    public async Task<Finished> FinishedAsync() =>
        Finished.Parser.ParseFrom((await NextAsync(AgentMessage.MessageOneofCase.Finished)).Finished.Results.Single());

    public async Task<int> CreditAsync() => (await NextAsync(AgentMessage.MessageOneofCase.Credit)).Credit.Slots;

    /// <summary>All that had come when the agent ended its side and that nobody asked for.</summary>
    public async Task<List<AgentMessage>> RestAsync()
    {
        await AgentEnded.WaitAsync(Patience.Token());
        while (received.Reader.TryRead(out var message))
            unread.Add(message);
        return unread;
    }

    /// <summary>Ends the stream as a dying connection does, or with a status of control's.</summary>
    public void End(Status? status = null) => end.TrySetResult(status);

    internal async Task ListenAsync(IAsyncStreamReader<AgentMessage> requests)
    {
        var reading = ReadAsync(requests);
        using var gone = over.Register(() => end.TrySetResult(new Status(StatusCode.Unavailable, "the node is gone")));
        await Task.WhenAny(reading, end.Task);
        agentEnded.TrySetResult();
        if (end.Task.IsCompletedSuccessfully && end.Task.Result is { } status)
            throw new RpcException(status);
    }

    private async Task ReadAsync(IAsyncStreamReader<AgentMessage> requests)
    {
        try
        {
            while (await requests.MoveNext(over))
            {
                var message = requests.Current;
                if (message.Credit is { } credit)
                    Credit += credit.Slots;
                if (message.Heartbeat is { } beat && AnswersHeartbeats)
                    await WriteAsync(new ControlMessage { HeartbeatAck = new HeartbeatAck { Sequence = beat.Sequence } });
                foreach (var one in OneByOne(message))
                    received.Writer.TryWrite(one);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException or RpcException)
        {
            // The agent was killed, or cut the stream.
        }
        finally
        {
            agentEnded.TrySetResult();
        }
    }

    // How many of them travel together is a matter of moments: tests ask for one at a time.
    private static IEnumerable<AgentMessage> OneByOne(AgentMessage message) => message switch
    {
        { Finished: { } batch } => batch.Results.Select(r => new AgentMessage { Finished = new FinishedBatch { Results = { r } } }),
        { Started: { } started } => started.Attempts.Select(a => new AgentMessage { Started = new Started { Attempts = { a } } }),
        _ => [message],
    };

    private async Task WriteAsync(ControlMessage message)
    {
        await sending.WaitAsync(over);
        try
        {
            await responses.WriteAsync(message, over);
        }
        finally
        {
            sending.Release();
        }
    }
}
