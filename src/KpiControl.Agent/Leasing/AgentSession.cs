using Google.Protobuf.WellKnownTypes;
using KpiControl.Agent.Execution;
using KpiControl.Agent.Hosting;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Leasing;

/// <summary>The agent's session with control: what Hello says, and what Welcome answered. It outlives streams.</summary>
internal sealed class AgentSession(IOptions<AgentOptions> options, Outbox.Outbox outbox, Attempts attempts, ExecutorTable executors)
{
    private const int ProtocolVersion = 1;
    // About 70 bytes each: with more, Hello would outgrow a message. Those left out are reported all the same.
    private const int MaxHeldResults = 20_000;

    /// <summary>0 before the first.</summary>
    public long Id { get; private set; }
    public int Generation { get; private set; }
    public TimeSpan Ttl { get; private set; }
    public TimeSpan HeartbeatInterval { get; private set; }
    /// <summary>A stream is open, and control welcomed it.</summary>
    public bool HasStream { get; private set; }

    public Hello Hello()
    {
        var agent = options.Value;
        var hello = new Hello
        {
            Agent = agent.Name,
            Instance = outbox.Instance.ToString(),
            Region = agent.Region,
            Tenants = { agent.Tenants },
            ProtocolMin = ProtocolVersion,
            ProtocolMax = ProtocolVersion,
            Build = FinishedReport.Build,
            Labels = { agent.Labels },
            Slots = agent.Slots,
        };
        foreach (var (connId, connection) in executors.Connections)
        {
            hello.Connections[connId] = connection.Kind;
            if (connection.Stages is { } stages)
                hello.ConnectionStages[connId] = string.Join(',', stages);
        }
        // Running first: one that finishes in between is in both, and counts once.
        hello.Held.Add(attempts.Held.Concat(outbox.Held(MaxHeldResults)).DistinctBy(h => h.AttemptId));
        return hello;
    }

    /// <summary>Takes the answer; null when it can be lived with, else why not.</summary>
    public string? Open(Welcome welcome)
    {
        var (ttl, interval) = (Span(welcome.Ttl), Span(welcome.HeartbeatInterval));
        if (ttl <= TimeSpan.Zero || interval <= TimeSpan.Zero || interval >= ttl)
            return $"a TTL of {ttl} with a heartbeat every {interval}";
        (Id, Generation, Ttl, HeartbeatInterval, HasStream) = (welcome.SessionId, welcome.Generation, ttl, interval, true);
        return null;
    }

    public void StreamEnded() => HasStream = false;

    private static TimeSpan Span(Duration? duration) => duration?.ToTimeSpan() ?? TimeSpan.Zero;
}
