using KpiControl.Control.Database;

namespace KpiControl.Control.Requests;

/// <summary>Forgets answers that nobody can ask for again.</summary>
internal sealed partial class RequestRetention(RequestRetentionStore store, TimeProvider time, ILogger<RequestRetention> logger) : PeriodicWork(time)
{
    protected override TimeSpan Every => TimeSpan.FromMinutes(30);

    protected override async Task PassAsync(CancellationToken token) => await store.ForgetAsync(token);

    protected override void Away(Exception error) => Log.DatabaseAway(logger, error);

    private static partial class Log
    {
        [LoggerMessage(EventId = 220, Level = LogLevel.Warning, Message = "Old request ids stay a while: the database is away")]
        public static partial void DatabaseAway(ILogger logger, Exception error);
    }
}
