using KpiControl.Control.Database;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Drift;

/// <summary>Has somebody told that a job is not as its store has it, and that it is again; on every node, each of them once.</summary>
internal sealed partial class DriftTeller(DriftAlertStore alerts, IOptions<DriftOptions> options, TimeProvider time, ILogger<DriftTeller> logger) : PeriodicWork(time)
{
    protected override TimeSpan Every => options.Value.LookEvery;

    protected override async Task PassAsync(CancellationToken token)
    {
        await alerts.NoteUnconfiguredAsync(token);
        await alerts.OpenAsync(options.Value.AlertAfter, token);
        await alerts.ResolveAsync(token);
    }

    protected override void Away(Exception error) => Log.Away(logger, error.Message);

    private static partial class Log
    {
        [LoggerMessage(EventId = 746, Level = LogLevel.Warning, Message = "Nobody is told of drift, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}
