using KpiControl.Control.Database;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>
/// Tells this node's agents that an operator drains them, or does no more. Only tells: that a drained agent is granted nothing
/// is in the WHERE of the grants.
/// </summary>
internal sealed partial class DrainWatch(
    SessionStore store, SessionRegistry sessions, Dispatcher dispatcher, IOptions<LeaseOptions> options, TimeProvider time, ILogger<DrainWatch> logger) : BackgroundService
{
    private static readonly TimeSpan AfterOutage = TimeSpan.FromSeconds(1);
    private readonly WakeSignal _news = new(time);

    public void Look() => _news.Ring();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
            await _news.WaitAsync(await TellAsync(stoppingToken) ? options.Value.PollEvery : AfterOutage, stoppingToken);
    }

    private async Task<bool> TellAsync(CancellationToken token)
    {
        try
        {
            var drained = await store.DrainedAsync(token);
            foreach (var session in sessions.All.Where(s => s.IsAttached))
                if (drained.TryGetValue(session.Id.SessionId, out var reason))
                    Drain(session, reason);
                else if (session.IsDrained)
                    Resume(session);
            return true;
        }
        catch (Exception error) when (SqlStates.IsOutage(error))
        {
            Log.Away(logger, error.Message);
            return false;
        }
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

        [LoggerMessage(EventId = 382, Level = LogLevel.Warning, Message = "Which agents are drained cannot be read, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}
