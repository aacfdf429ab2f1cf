using KpiControl.Control.Database;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>One round of a region: promote what queued, lease what stands aside or is ready, take what is due; by priority.</summary>
internal sealed partial class RegionWork(
    DueWork due, ReadyWork ready, AsideWork asides, QueueWork queue, SessionRegistry sessions, IOptions<LeaseOptions> options, ILogger<RegionWork> logger)
{
    private static readonly TimeSpan AfterOutage = TimeSpan.FromSeconds(1);

    public TimeSpan PollEvery => options.Value.PollEvery;

    /// <returns>How long there is nothing to do, unless woken.</returns>
    public async Task<TimeSpan> RoundAsync(string region, IReadOnlyList<LaneView> lanes, DatabaseClock clock, CancellationToken token)
    {
        try
        {
            var more = false;
            foreach (var view in lanes)
            {
                view.TakeCredit();
                if (view.TakeQueueDirty())
                    more |= await queue.PromoteAsync(view, token);
                var agents = sessions.In(region);
                more |= await asides.LeaseAsync(view, agents, clock, token);
                more |= await ready.LeaseAsync(view, agents, clock, token);
                more |= await due.TakeAsync(view, agents, clock, token);
            }
            if (lanes.Any(view => view.QueuedElsewhere))
                foreach (var view in lanes)
                {
                    view.QueuedElsewhere = false;
                    view.MarkQueueDirty();
                }
            return more ? TimeSpan.Zero : Sleep(lanes, clock);
        }
        catch (Exception error) when (SqlStates.IsOutage(error))
        {
            Log.Away(logger, region, error.Message);
            foreach (var view in lanes)
                view.LookEverywhere();
            return AfterOutage;
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            // One region's loop must outlive a defect: the others' work, and this one's later work, goes on.
            Log.Broke(logger, region, error);
            return AfterOutage;
        }
    }

    private TimeSpan Sleep(IReadOnlyList<LaneView> lanes, DatabaseClock clock)
    {
        if (lanes.Any(view => view.HasNews))
            return TimeSpan.Zero;
        var next = lanes.Count == 0 ? DateTimeOffset.MaxValue : lanes.Min(view => new[] { view.NextDue, view.NextReady, view.NextAside }.Min());
        var until = next - clock.Now;
        return until > PollEvery ? PollEvery : until < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : until;
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 340, Level = LogLevel.Warning, Message = "Region {Region}: the database is away: {Error}")]
        public static partial void Away(ILogger logger, string region, string error);

        [LoggerMessage(EventId = 341, Level = LogLevel.Error, Message = "Region {Region}: a dispatch round failed")]
        public static partial void Broke(ILogger logger, string region, Exception error);
    }
}
