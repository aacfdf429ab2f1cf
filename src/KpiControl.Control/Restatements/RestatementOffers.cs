using KpiControl.Control.Database;
using KpiControl.Control.Runs;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Restatements;

/// <summary>
/// Turns late refreshes into offers, and restated KPIs into offers to whoever takes them; ends offers whose time is over. On every
/// node: what a publish left to do stands in its own transaction, so a node that dies at it leaves it to another.
/// </summary>
internal sealed partial class RestatementOffers(OfferStore store, IOptions<RestatementOptions> options, TimeProvider time, ILogger<RestatementOffers> logger) : PeriodicWork(time)
{
    protected override TimeSpan Every => options.Value.LookEvery;

    protected override async Task PassAsync(CancellationToken token)
    {
        var (offerFor, made) = (options.Value.OfferFor, 0);
        while (await store.OfferLateAsync(options.Value.LookAgainEvery, offerFor, DatesOf, token) is { } some)
            made += some;
        while (await store.OfferDownstreamAsync(offerFor, token) is { } some)
            made += some;
        if (made > 0)
            Log.Offered(logger, made);
        if (await store.ExpireAsync(token) is > 0 and var ended)
            Log.Lapsed(logger, ended);
    }

    /// <summary>
    /// From the local day in which the change began to the last that had ended by data-through; where the pipeline did not say from
    /// when on, that last day alone. A zone that this machine does not know has none.
    /// </summary>
    internal static (DateOnly First, DateOnly Last)? DatesOf(LateRefresh late, string timezone)
    {
        if (BindingSchedule.Create(0, "", timezone, "{}", null, null) is not { } clock)
            return null;
        var last = clock.Schedule.BusinessDate(late.DataThrough, "previous");
        var first = late.ChangedFrom is { } from ? clock.Schedule.BusinessDate(from, "current") : last;
        return first <= last ? (first, last) : null;
    }

    protected override void Away(Exception error) => Log.Away(logger, error.Message);

    private static partial class Log
    {
        [LoggerMessage(EventId = 430, Level = LogLevel.Information, Message = "{Made} restatements are offered")]
        public static partial void Offered(ILogger logger, int made);

        [LoggerMessage(EventId = 431, Level = LogLevel.Information, Message = "{Ended} offers of a restatement lapsed")]
        public static partial void Lapsed(ILogger logger, int ended);

        [LoggerMessage(EventId = 432, Level = LogLevel.Warning, Message = "Late data is looked for later: the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}
