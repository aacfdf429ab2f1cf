using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Control.Hosting;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>Hello and Welcome: who is there, whether they may, and which of what they hold is still theirs.</summary>
internal sealed partial class StreamOpening(
    SessionStore store, SessionRegistry sessions, RevocationWatch revocations, Reclaimer reclaimer, Dispatcher dispatcher, NodeLease node, IOptions<LeaseOptions> options, TimeProvider time, ILogger<StreamOpening> logger)
{
    public const int ProtocolVersion = 1;
    private const int MostSlots = 10_000;
    private static readonly TimeSpan HelloWithin = TimeSpan.FromSeconds(10);
    private static readonly string[] KnownFeatures = [];

    public async Task<AgentSession> OpenAsync(IAsyncStreamReader<AgentMessage> messages, AgentIdentity identity, CancellationToken token)
    {
        var hello = await HelloAsync(messages, token);
        var request = Check(hello, identity);
        // Before it opens: told of the move, this node forgets the stream before it, and with it what had begun there.
        var former = sessions.Of(request.Agent, request.Instance);
        // Not the call's token: whether an agent that leaves now has a session must be known here, where it is watched.
        var opened = await store.OpenAsync(request, await node.RegisteredAsync(token), CancellationToken.None)
            ?? throw Reject.Exists("AGENT_NAME_TAKEN", $"Another live instance runs under the agent name '{identity.Agent}'. Stop it, or wait until its session has ended ({options.Value.Ttl + options.Value.Grace}).");
        var session = new AgentSession(opened, request, time.GetTimestamp());
        var held = hello.Held.Where(h => Guid.TryParse(h.AttemptId, out _)).Select(h => (h.BindingId, Attempt: Guid.Parse(h.AttemptId))).ToList();
        var still = await WelcomeAsync(session, held, token);
        if (former?.Id.SessionId != session.Id.SessionId)
            former = null;
        if (former is not null)
            session.Inherit(former, still.Keys);
        if (session.Id.Generation > 1)
            reclaimer.Resumed(new ResumedSession(session.Id, [.. held.Select(h => h.Attempt)], former is null ? [] : [.. former.Held.Where(h => h.Value.HasBegun).Select(h => h.Key)]));
        dispatcher.SessionOpened(request.Region);
        Log.Opened(logger, request.Agent, session.Id.SessionId, session.Id.Generation, request.Region, request.Build);
        return session;
    }

    private async Task<IReadOnlyDictionary<Guid, bool>> WelcomeAsync(AgentSession session, List<(long BindingId, Guid Attempt)> held, CancellationToken token)
    {
        // It is live in the database, so it must be watched here, welcomed or not: nobody else would end it. And before the look at
        // what it holds: a cancel was either committed before that look, or is heard here.
        sessions.Add(session);
        // One that was committed since the agent was let in found no session here.
        revocations.Look();
        try
        {
            var still = await store.StillHeldAsync(session.Id.SessionId, held, token);
            var welcome = new Welcome
            {
                SessionId = session.Id.SessionId, Generation = session.Id.Generation, Ttl = Duration.FromTimeSpan(options.Value.Ttl),
                HeartbeatInterval = Duration.FromTimeSpan(options.Value.HeartbeatEvery), Protocol = ProtocolVersion, Node = node.Name, ClusterEpoch = session.Epoch,
            };
            welcome.LostAttempts.AddRange(held.Where(h => !still.ContainsKey(h.Attempt)).Select(h => h.Attempt.ToString()));
            session.Welcome(welcome);
            if (session.DrainReason is { } reason)
                session.DrainBecause(reason);
            foreach (var (attempt, _) in still.Where(h => h.Value))
                session.Cancel(attempt);
            return still;
        }
        catch
        {
            session.Detach();
            throw;
        }
    }

    private async Task<Hello> HelloAsync(IAsyncStreamReader<AgentMessage> messages, CancellationToken token)
    {
        try
        {
            if (await messages.MoveNext(token).WaitAsync(HelloWithin, time, token) && messages.Current.Hello is { } hello)
                return hello;
        }
        catch (TimeoutException)
        {
            throw Reject.Invalid("hello", $"The stream's first message must be Hello, within {HelloWithin.TotalSeconds:0} seconds.");
        }
        throw Reject.Invalid("hello", "The stream's first message must be Hello.");
    }

    private static SessionOpening Check(Hello hello, AgentIdentity identity)
    {
        if (hello.Agent != identity.Agent)
            throw Reject.Denied($"agent '{hello.Agent}' ({Proof(identity)} is agent '{identity.Agent}''s)");
        if (hello.Region != identity.Region)
            throw Reject.Denied($"region '{hello.Region}' ({Proof(identity)} is for region '{identity.Region}')");
        if (hello.Tenants.FirstOrDefault(t => !identity.Tenants.Contains(t)) is { } foreign)
            throw Reject.Denied($"tenant '{foreign}' ({Proof(identity)} does not name it)");
        if (!Guid.TryParse(hello.Instance, out var instance))
            throw Reject.Invalid("hello.instance", "must be a UUID: the identity of the outbox directory.");
        if (hello.ProtocolMin > ProtocolVersion || hello.ProtocolMax < ProtocolVersion)
            throw Reject.Precondition("PROTOCOL_VERSION", "hello.protocol", $"This control plane speaks protocol version {ProtocolVersion}; the agent speaks {hello.ProtocolMin} to {hello.ProtocolMax}.");
        if (hello.Features.FirstOrDefault(f => !KnownFeatures.Contains(f)) is { } unknown)
            throw Reject.Precondition("UNKNOWN_FEATURE", "hello.features", $"This control plane does not know the feature '{unknown}' that the agent relies on.");
        if (hello.Slots is < 0 or > MostSlots)
            throw Reject.Invalid("hello.slots", $"must be from 0 to {MostSlots}.");
        return new SessionOpening
        {
            Agent = hello.Agent, Instance = instance, Region = hello.Region, Tenants = hello.Tenants.Count > 0 ? [.. hello.Tenants.Distinct()] : identity.Tenants,
            Build = hello.Build, Labels = new Dictionary<string, string>(hello.Labels), Connections = new Dictionary<string, string>(hello.Connections),
            ConnectionStages = new Dictionary<string, string>(hello.ConnectionStages), Slots = hello.Slots,
            Certificate = identity.Certificate,
        };
    }

    private static string Proof(AgentIdentity identity) => identity.Certificate is null ? "the token" : "the certificate";

    private static partial class Log
    {
        [LoggerMessage(EventId = 370, Level = LogLevel.Information, Message = "Agent {Agent}: session {SessionId} generation {Generation} in region {Region}, build {Build}")]
        public static partial void Opened(ILogger logger, string agent, long sessionId, int generation, string region, string build);
    }
}
