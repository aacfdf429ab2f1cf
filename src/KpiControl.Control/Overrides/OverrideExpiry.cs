using KpiControl.Control.Database;

namespace KpiControl.Control.Overrides;

/// <summary>
/// Writes down that overrides ran out, and puts jobs back into the lane of their own priority. Everything else counts by the instant
/// itself (<see cref="OverrideList"/>), so a pass that comes late, or after every node was down, changes nothing of it.
/// </summary>
internal sealed partial class OverrideExpiry(OverrideExpiryStore store, TimeProvider time, ILogger<OverrideExpiry> logger) : PeriodicWork(time)
{
    protected override TimeSpan Every => TimeSpan.FromSeconds(2);

    protected override async Task PassAsync(CancellationToken token)
    {
        if (await store.ExpireAsync(token) is > 0 and var ended)
            Log.RanOut(logger, ended);
    }

    protected override void Away(Exception error) => Log.DatabaseAway(logger, error);

    private static partial class Log
    {
        [LoggerMessage(EventId = 410, Level = LogLevel.Information, Message = "{Ended} overrides ran out")]
        public static partial void RanOut(ILogger logger, int ended);

        [LoggerMessage(EventId = 411, Level = LogLevel.Warning, Message = "That overrides ran out is written down later: the database is away")]
        public static partial void DatabaseAway(ILogger logger, Exception error);
    }
}
