using KpiControl.Control.Certificates;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>Ends the streams of agents that were shut out. That they cannot come back is asked at each Hello.</summary>
internal sealed partial class RevocationWatch(CertificateStore store, SessionRegistry sessions, IOptions<LeaseOptions> options, TimeProvider time, ILogger<RevocationWatch> logger)
    : StreamWatch(sessions, options, time)
{
    protected override async Task LookAsync(IReadOnlyList<AgentSession> open, CancellationToken token)
    {
        var standings = await store.StandingsAsync([.. open.Select(s => s.Opening.Agent)], token);
        foreach (var session in open)
            if (standings.TryGetValue(session.Opening.Agent, out var standing) && standing.ShutsOut(session.Certificate))
            {
                session.ShutOut();
                Log.ShutOut(logger, session.Opening.Agent, session.Id.SessionId, standing.IsRevoked ? standing.RevokeReason : "enrolled anew");
            }
    }

    protected override void Away(Exception error) => Log.Away(logger, error.Message);

    private static partial class Log
    {
        [LoggerMessage(EventId = 385, Level = LogLevel.Warning, Message = "Agent {Agent}: session {SessionId} is shut out: {Reason}")]
        public static partial void ShutOut(ILogger logger, string agent, long sessionId, string reason);

        [LoggerMessage(EventId = 386, Level = LogLevel.Warning, Message = "Which agents were revoked cannot be read, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}
