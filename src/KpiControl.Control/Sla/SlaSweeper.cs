using KpiControl.Control.Database;
using KpiControl.Control.Leases;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Sla;

/// <summary>
/// Looks at clocks when they are due: a promise is broken when nothing runs at all. On every node; what two of them see at once,
/// one of them writes. What came due while no node ran is found at start, and recorded for its own instant.
/// </summary>
internal sealed partial class SlaSweeper(SlaStore store, PlanCache plans, IOptions<SlaOptions> options, TimeProvider time, ILogger<SlaSweeper> logger) : PeriodicWork(time)
{
    protected override TimeSpan Every => options.Value.SweepEvery;

    protected override async Task PassAsync(CancellationToken token)
    {
        // A clock that was due for long may be due again at once: warned, then in breach.
        while (await DueAsync(token))
        {
        }
        await SlowAsync(token);
        await RecoveredAsync(token);
    }

    protected override void Away(Exception error) => Log.Away(logger, error.Message);

    private async Task<bool> DueAsync(CancellationToken token)
    {
        var rows = await store.DueAsync(token);
        if (rows.Count == 0)
            return false;
        var planned = await PlansAsync(rows, token);
        return await ApplyAsync(rows.Select(row => SlaDecision.Of(row, planned.GetValueOrDefault(row.Plan))), token) > 0;
    }

    private async Task RecoveredAsync(CancellationToken token)
    {
        var rows = await store.RecoveredAsync(token);
        if (rows.Count == 0)
            return;
        var planned = await PlansAsync(rows, token);
        await ApplyAsync(rows.Select(row => SlaDecision.Recovered(row, planned.GetValueOrDefault(row.Plan))), token);
    }

    private async Task SlowAsync(CancellationToken token)
    {
        var runs = (await store.SlowRunsAsync(token)).GroupBy(r => r.BindingId, r => r.Run).ToDictionary(g => g.Key, g => g.ToList());
        if (runs.Count == 0)
            return;
        var clocks = (await store.LatencyAsync([.. runs.Keys], token)).Where(clock => clock.State != "off").ToList();
        var applied = await store.ApplyAsync([.. clocks.OrderBy(c => c.BindingId).Select(clock => SlaDecision.Slow(clock, runs[clock.BindingId]))], token);
        Tell(applied);
        // Of those that another node moved meanwhile it takes another look.
        var left = clocks.Select(c => c.BindingId).Except(applied.Select(a => a.Seen.BindingId)).ToHashSet();
        await store.ForgetAsync([.. runs.Where(r => !left.Contains(r.Key)).SelectMany(r => r.Value).Select(run => run.NoticeId)], token);
    }

    private async Task<Dictionary<PlanKey, BindingPlan>> PlansAsync(IReadOnlyList<SlaClockRow> rows, CancellationToken token)
    {
        var bindings = rows.Where(row => row.Active).DistinctBy(row => row.Plan).ToList();
        return (await plans.PlannedAsync(bindings, row => row.Plan, token)).ToDictionary(p => p.Row.Plan, p => p.Plan);
    }

    private async Task<int> ApplyAsync(IEnumerable<SlaChange> changes, CancellationToken token)
    {
        var applied = await store.ApplyAsync([.. changes.OrderBy(c => c.Seen.BindingId).ThenBy(c => c.Seen.Clock, StringComparer.Ordinal)], token);
        Tell(applied);
        return applied.Count;
    }

    private void Tell(IReadOnlyList<SlaChange> applied)
    {
        var (breached, recovered) = (applied.Count(c => c.BreachedAt is not null), applied.Count(c => c.Resolution == "recovered"));
        if (breached > 0)
            Log.Breached(logger, breached, applied.First(c => c.BreachedAt is not null).Seen.BindingId);
        if (recovered > 0)
            Log.Recovered(logger, recovered);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 700, Level = LogLevel.Warning, Message = "{Count} SLA clocks are in breach, binding {Binding} among them")]
        public static partial void Breached(ILogger logger, int count, long binding);

        [LoggerMessage(EventId = 701, Level = LogLevel.Information, Message = "{Count} SLA clocks recovered")]
        public static partial void Recovered(ILogger logger, int count);

        [LoggerMessage(EventId = 702, Level = LogLevel.Warning, Message = "SLA clocks are not looked at, the database is away: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}
