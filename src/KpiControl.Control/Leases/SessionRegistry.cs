using System.Collections.Concurrent;

namespace KpiControl.Control.Leases;

/// <summary>The sessions whose streams are, or were last, on this node.</summary>
internal sealed class SessionRegistry
{
    private readonly ConcurrentDictionary<long, AgentSession> _sessions = new();

    public IEnumerable<AgentSession> All => _sessions.Values;

    public IReadOnlyList<AgentSession> In(string region) => [.. _sessions.Values.Where(s => s.Region == region && s.IsAttached)];

    public AgentSession? Find(long sessionId) => _sessions.GetValueOrDefault(sessionId);

    /// <summary>An agent's session of the same outbox, whose stream is or was here.</summary>
    public AgentSession? Of(string agent, Guid instance) => _sessions.Values.FirstOrDefault(s => s.Opening.Agent == agent && s.Opening.Instance == instance);

    /// <summary>Adds a session's stream; of two of the same session on this node, the older ends, whichever comes first.</summary>
    public void Add(AgentSession session)
    {
        AgentSession? former = null;
        var newest = _sessions.AddOrUpdate(session.Id.SessionId, session, (_, there) => (former = there).Id.Generation > session.Id.Generation ? there : session);
        (newest == session ? former : session)?.Close();
    }

    public void Remove(AgentSession session) => _sessions.TryRemove(KeyValuePair.Create(session.Id.SessionId, session));
}
