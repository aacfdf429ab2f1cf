using KpiControl.Control.Database;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KpiControl.Control.Audit;

/// <summary>Keeps the chains: every node tries, the heads of the chains decide.</summary>
internal sealed partial class ChainSequencer(ChainStore store, ChainMetrics metrics, AuditKey key, IOptions<AuditOptions> options, TimeProvider time, ILogger<ChainSequencer> logger) : PeriodicWork(time)
{
    // A burst of runs goes first: linking takes a small share while nothing waits long, and a large one once something does.
    private const int Share = 1000, LargeShare = 10_000;
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(1);

    protected override TimeSpan Every => options.Value.LinkEvery;

    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!key.Signs)
            Log.Unsigned(logger);
        return base.ExecuteAsync(stoppingToken);
    }

    protected override async Task PassAsync(CancellationToken token)
    {
        try
        {
            await LinkAsync(token);
            if (key.Signs)
                await store.SignAsync(key, options.Value.CheckpointEvery, token);
        }
        // Somebody changed a chain under it: runs go on, and verification says what was changed.
        catch (Exception error) when (error is PostgresException or InvalidOperationException && !SqlStates.IsOutage(error))
        {
            Log.Stuck(logger, error);
        }
    }

    protected override void Away(Exception error) => Log.Away(logger, error.Message);

    private async Task LinkAsync(CancellationToken token)
    {
        var rows = 0;
        ChainPass pass;
        do
        {
            pass = await store.LinkAsync(token);
            rows += pass.Rows;
            metrics.Linked(pass);
            foreach (var place in pass.Missing)
                Log.Missing(logger, place.Kind, place.Id, place.At);
        }
        while (pass.More && rows < (pass.Waited > Long ? LargeShare : Share));
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 600, Level = LogLevel.Warning, Message = "Audit:SigningKeyFile is not set: the chain is kept and nothing of it is signed")]
        public static partial void Unsigned(ILogger logger);

        [LoggerMessage(EventId = 601, Level = LogLevel.Warning, Message = "The chain waits, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);

        [LoggerMessage(EventId = 603, Level = LogLevel.Critical, Message = "A chain cannot be continued: its head or its links were changed. Ask: kpictl audit verify")]
        public static partial void Stuck(ILogger logger, Exception error);

        [LoggerMessage(EventId = 602, Level = LogLevel.Critical, Message = "A row was taken out before it was linked: {Kind} {Id} of {At:O}")]
        public static partial void Missing(ILogger logger, char kind, long id, DateTime at);
    }
}
