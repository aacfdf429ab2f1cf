using KpiControl.Protocol.V1;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>
/// Tells this node's agents what became of their sessions elsewhere: an operator drains them, or does no more; others ended them, or
/// they moved. Only tells: that a drained agent or an ended session is granted nothing is in the WHERE of the grants.
/// </summary>
internal sealed partial class SessionWatch(
    SessionStore store, SessionRegistry sessions, Dispatcher dispatcher, IOptions<LeaseOptions> options, TimeProvider time, ILogger<SessionWatch> logger) : StreamWatch(sessions, options, time)
{
    private readonly SessionRegistry _sessions = sessions;

    protected override async Task LookAsync(IReadOnlyList<AgentSession> open, CancellationToken token)
    {
        var standings = await store.StandingsAsync([.. open.Select(s => s.Id.SessionId)], token);
        foreach (var session in open)
            Tell(session, standings.GetValueOrDefault(session.Id.SessionId));
    }

    protected override void Away(Exception error) => Log.Away(logger, error.Message);

    private void Tell(AgentSession session, SessionStanding? standing)
    {
        if (standing is not { Ended: false })
            End(session);
        else if (standing.Generation > session.Id.Generation)
            Forget(session);
        else if (standing.DrainReason is { } reason)
            Drain(session, reason);
        else if (session.IsDrained)
            Resume(session);
    }

    /// <summary>Others ended it, as they do when this node was away for too long: what it held is given back, and it gets no more.</summary>
    public void End(AgentSession session)
    {
        Log.Ended(logger, session.Opening.Agent, session.Id.SessionId);
        session.Close(new ControlMessage { Reconnect = new Reconnect { Reason = $"Session {session.Id.SessionId} has ended: its control node, or this agent, was not heard for too long." } });
        _sessions.Remove(session);
    }

    /// <summary>Its agent said Hello elsewhere.</summary>
    public void Forget(AgentSession session)
    {
        session.Close();
        _sessions.Remove(session);
    }

    private void Drain(AgentSession session, string reason)
    {
        if (!session.DrainBecause(reason))
            return;
        Log.Drained(logger, session.Opening.Agent, session.Id.SessionId, reason);
        // What was left for its credit waits for another agent now, and must be seen to.
        dispatcher.SessionOpened(session.Region);
    }

    // No message takes a drain back: the agent gives credit again on a new stream.
    private void Resume(AgentSession session)
    {
        Log.Resumed(logger, session.Opening.Agent, session.Id.SessionId);
        session.Close(new ControlMessage { Reconnect = new Reconnect { Reason = "This agent is drained no more." } });
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 376, Level = LogLevel.Information, Message = "Agent {Agent}: session {SessionId} is drained: {Reason}")]
        public static partial void Drained(ILogger logger, string agent, long sessionId, string reason);

        [LoggerMessage(EventId = 377, Level = LogLevel.Information, Message = "Agent {Agent}: session {SessionId} is drained no more")]
        public static partial void Resumed(ILogger logger, string agent, long sessionId);

        [LoggerMessage(EventId = 378, Level = LogLevel.Warning, Message = "Agent {Agent}: session {SessionId} was ended by others while its stream is here; it is asked to connect again")]
        public static partial void Ended(ILogger logger, string agent, long sessionId);

        [LoggerMessage(EventId = 382, Level = LogLevel.Warning, Message = "What became of sessions cannot be read, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}
