using System.Globalization;
using KpiControl.Control.Database;
using Npgsql;

namespace KpiControl.Control.Leases;

/// <summary>
/// Hears what other nodes and requests tell (channel <c>kpi</c>): <c>lane N</c> (a cursor moved back or is new),
/// <c>queue N</c>, <c>ready N</c>, <c>cancel SESSION ATTEMPT</c>, <c>moved SESSION GENERATION</c>,
/// <c>ended SESSION</c> (its node was taken for dead), <c>epoch</c> (it was bumped),
/// <c>drain</c> (an agent is drained, or is no more), <c>revoked</c> (an agent was shut out), <c>contracts</c> (a status moved). A message that is missed
/// costs a poll, never an occurrence; a missed cancel is found when the agent says Hello again, or its attempt runs to its end.
/// </summary>
internal sealed partial class Notifications(Databases databases, Dispatcher dispatcher, SessionRegistry sessions, SessionWatch watch, RevocationWatch revocations, InactiveContracts contracts, TimeProvider time, ILogger<Notifications> logger) : BackgroundService
{
    private static readonly TimeSpan RetryEvery = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
            try
            {
                await ListenAsync(stoppingToken);
            }
            catch (Exception error) when (SqlStates.IsOutage(error))
            {
                Log.Deaf(logger, error.Message);
                await Task.Delay(RetryEvery, time, stoppingToken);
            }
    }

    private async Task ListenAsync(CancellationToken token)
    {
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        connection.Notification += (_, told) => Hear(told.Payload);
        await using (var listen = new NpgsqlCommand("LISTEN kpi", connection))
            await listen.ExecuteNonQueryAsync(token);
        // Whatever was said while nobody listened.
        dispatcher.WakeAll();
        watch.Look();
        revocations.Look();
        contracts.Look();
        while (true)
            await connection.WaitAsync(token);
    }

    private void Hear(string payload)
    {
        switch (payload.Split(' '))
        {
            case ["lane", var lane] when short.TryParse(lane, CultureInfo.InvariantCulture, out var number):
                dispatcher.CursorMovedBack(number);
                break;
            case ["epoch"]:
                dispatcher.WakeAll();
                break;
            case ["drain"]:
                watch.Look();
                break;
            case ["revoked"]:
                revocations.Look();
                break;
            case ["contracts"]:
                contracts.Look();
                break;
            case ["queue", var lane] when short.TryParse(lane, CultureInfo.InvariantCulture, out var number):
                dispatcher.Queued(number);
                break;
            case ["ready", var lane] when short.TryParse(lane, CultureInfo.InvariantCulture, out var number):
                dispatcher.Ready(number);
                break;
            case ["cancel", var session, var attempt] when long.TryParse(session, CultureInfo.InvariantCulture, out var id) && Guid.TryParse(attempt, out var cancelled):
                sessions.Find(id)?.Cancel(cancelled);
                break;
            case ["moved", var session, var generation] when long.TryParse(session, CultureInfo.InvariantCulture, out var id) && int.TryParse(generation, CultureInfo.InvariantCulture, out var newer):
                if (sessions.Find(id) is { } here && here.Id.Generation < newer)
                    watch.Forget(here);
                break;
            case ["ended", var session] when long.TryParse(session, CultureInfo.InvariantCulture, out var id):
                if (sessions.Find(id) is { } ended)
                    watch.End(ended);
                break;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 320, Level = LogLevel.Warning, Message = "Not listening for notifications: {Error}")]
        public static partial void Deaf(ILogger logger, string error);
    }
}
