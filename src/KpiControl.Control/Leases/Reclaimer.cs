using System.Collections.Concurrent;
using KpiControl.Control.Database;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>Ends sessions that fell silent, here or with their node, and gives their leases back.</summary>
internal sealed partial class Reclaimer(
    ReclaimStore store, SessionStore sessionStore, SessionRegistry sessions, Dispatcher dispatcher, IOptions<LeaseOptions> options, TimeProvider time, ILogger<Reclaimer> logger) : PeriodicWork(time)
{
    private readonly ConcurrentQueue<ResumedSession> _resumed = new();
    private bool _epochStands = true;

    /// <summary>A session resumed: what was leased to its earlier streams and is not among what it holds goes back.</summary>
    public void Resumed(ResumedSession session) => _resumed.Enqueue(session);

    protected override TimeSpan Every => options.Value.ReclaimEvery;

    protected override async Task PassAsync(CancellationToken token)
    {
        var pass = await store.PassAsync(options.Value.Ttl, options.Value.Grace, token);
        Tell(pass);
        TellAgents(pass.Epoch);
        await ReturnUnheldAsync(token);
        var silent = pass.Amnesty ? 0 : await EndSilentAsync(token);
        if (!pass.Owed && silent + pass.Ended == 0)
            return;
        var lanes = await store.ReclaimAsync(token);
        Log.Reclaimed(logger, lanes.Count, silent + pass.Ended);
        dispatcher.CameBack(lanes);
    }

    protected override void Away(Exception error) => Log.Away(logger, error.Message);

    private void Tell(ReclaimPass pass)
    {
        if (pass.EpochStands == _epochStands)
            return;
        _epochStands = pass.EpochStands;
        if (_epochStands)
            Log.EpochStands(logger);
        else
            Log.EpochFell(logger);
    }

    // Only a Welcome tells the epoch, and who learns of another offers again what the database may have lost.
    private void TellAgents(int epoch)
    {
        foreach (var session in sessions.All.Where(s => s.IsAttached && s.Epoch < epoch))
            session.Close(new ControlMessage { Reconnect = new Reconnect { Reason = $"The cluster's epoch rose to {epoch}." } });
    }

    private async Task<int> EndSilentAsync(CancellationToken token)
    {
        var ended = 0;
        foreach (var session in sessions.All.Where(s => Time.GetElapsedTime(s.HeardAt) > options.Value.Ttl + options.Value.Grace))
        {
            if (await sessionStore.EndAsync(session.Id, "silent", token))
            {
                Log.Silent(logger, session.Opening.Agent, session.Id.SessionId);
                ended++;
            }
            session.Close();
            sessions.Remove(session);
        }
        return ended;
    }

    private async Task ReturnUnheldAsync(CancellationToken token)
    {
        var resumed = new List<ResumedSession>();
        while (_resumed.TryDequeue(out var one))
            resumed.Add(one);
        if (resumed.Count == 0)
            return;
        try
        {
            var lanes = await store.ReturnUnheldAsync(Latest(resumed), token);
            dispatcher.CameBack(lanes);
        }
        catch
        {
            resumed.ForEach(_resumed.Enqueue);
            throw;
        }
    }

    // The last Hello of a session says what it holds: what an earlier one named may have been dropped since. What began, began.
    private static List<ResumedSession> Latest(IEnumerable<ResumedSession> resumed) =>
        [.. resumed.GroupBy(one => one.Session.SessionId).Select(session => session.MaxBy(one => one.Session.Generation)! with { Begun = [.. session.SelectMany(one => one.Begun)] })];

    private static partial class Log
    {
        [LoggerMessage(EventId = 360, Level = LogLevel.Warning, Message = "Reclaiming waits, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);

        [LoggerMessage(EventId = 361, Level = LogLevel.Warning, Message = "Agent {Agent} fell silent: session {SessionId} ended")]
        public static partial void Silent(ILogger logger, string agent, long sessionId);

        [LoggerMessage(EventId = 362, Level = LogLevel.Information, Message = "{Count} leases given back from {Sessions} ended sessions")]
        public static partial void Reclaimed(ILogger logger, int count, int sessions);

        [LoggerMessage(EventId = 363, Level = LogLevel.Critical, Message = "PostgreSQL writes on another timeline than the cluster's epoch was set on: a failover or a restore. Nothing is granted or acknowledged until an operator runs: kpictl epoch bump --reason …")]
        public static partial void EpochFell(ILogger logger);

        [LoggerMessage(EventId = 364, Level = LogLevel.Warning, Message = "The cluster's epoch stands for the timeline that PostgreSQL writes on: grants go on")]
        public static partial void EpochStands(ILogger logger);
    }
}
