using KpiControl.Control.Runs;

namespace KpiControl.Control.Signals;

/// <summary>Occurrences that wait for data, signals or other KPIs: begins their waits and ends them.</summary>
internal sealed class DependencyWaits(DependencyStore store)
{
    /// <summary>
    /// For bindings whose open occurrence was just committed as waiting. Writes down what is waited for, then looks
    /// whether it is there already: in this order, or a publish between the two would be missed.
    /// </summary>
    public async Task BeginAsync(IReadOnlyList<long> bindingIds, CancellationToken token)
    {
        var ids = Sorted(bindingIds);
        var waiting = await store.OpenAsync(ids, token);
        if (waiting.Count == 0)
            return;
        await store.InsertAsync(waiting, [.. waiting.Select(EndOfBusinessDate)], token);
        await EvaluateAsync(ids, token);
    }

    /// <summary>After runs of these bindings were recorded as succeeded: wakes who waited for their KPI.</summary>
    public async Task KpiSucceededAsync(IReadOnlyList<long> bindingIds, CancellationToken token)
    {
        var waiters = await store.WaitersForKpisAsync(Sorted(bindingIds), token);
        if (waiters.Count > 0)
            await EvaluateAsync(Sorted(waiters), token);
    }

    /// <summary>After a fact was committed: wakes who waited for it.</summary>
    /// <param name="type"><c>gdp</c> or <c>signal</c>.</param>
    /// <param name="region">Null serves every region.</param>
    /// <returns>How many occurrences became ready.</returns>
    public async Task<int> PublishedAsync(string type, string tenant, string environment, string? region, string name, CancellationToken token)
    {
        var waiters = await store.WaitersForAsync(type, tenant, environment, region, name, token);
        return waiters.Count == 0 ? 0 : await EvaluateAsync(Sorted(waiters), token);
    }

    /// <summary>What the open occurrences of these bindings still lack; a binding that lacks nothing is absent.</summary>
    public async Task<ILookup<long, DependencyState>> MissingAsync(IReadOnlyList<long> bindingIds, CancellationToken token) =>
        (await StatesAsync(Sorted(bindingIds), token)).Where(s => s is { DepType: not null, Met: false }).ToLookup(s => s.BindingId);

    /// <summary>The safety net: everything that waits is looked at again, and what a crash left half begun is begun.</summary>
    public async Task SweepAsync(CancellationToken token)
    {
        await store.ForgetEndedAsync(token);
        foreach (var batch in (await store.AllWaitingAsync(token)).Chunk(500))
            await BeginAsync(batch, token);
    }

    private async Task<int> EvaluateAsync(long[] ids, CancellationToken token)
    {
        await store.ClaimUndatedAsync(ids, token);
        var ready = (await StatesAsync(ids, token)).GroupBy(s => s.BindingId)
            .Where(states => states.All(s => s.DepType is null || s.Met))
            .Select(states => new WaitingOccurrence { BindingId = states.Key, ScheduledFor = states.First().ScheduledFor }).ToList();
        return ready.Count == 0 ? 0 : await store.WakeAsync(ready, token);
    }

    private async Task<IReadOnlyList<DependencyState>> StatesAsync(long[] ids, CancellationToken token)
    {
        var states = await store.StatesAsync(ids, token);
        var kpis = states.Where(s => s is { DepType: "kpi", Environment: not null }).ToList();
        if (kpis.Count == 0)
            return states;
        var upstream = (await store.UpstreamAsync(kpis, token)).ToLookup(u => u.N - 1);
        var met = kpis.Where((wait, n) => upstream[n].Any() && upstream[n].All(u => Succeeded(u, wait.BusinessDate))).ToHashSet();
        return [.. states.Select(s => met.Contains(s) ? s with { Met = true } : s)];
    }

    // One that runs several times a day counts when its last slot of that date did.
    private static bool Succeeded(UpstreamKpi upstream, DateOnly businessDate)
    {
        if (upstream.ByHand || upstream.LastSlot is null)
            return upstream.ByHand;
        var last = BindingSchedule.Create(upstream.BindingId, upstream.ScheduleCron, upstream.Timezone, upstream.CanonicalJson, upstream.CalendarJson, upstream.OverridesJson)?.LastSlotOf(businessDate);
        return last is null || upstream.LastSlot >= last;
    }

    // A zone that this machine does not know holds up its own binding, visibly and until it gives up, and nobody else.
    private static DateTimeOffset EndOfBusinessDate(WaitingOccurrence waiting) =>
        BindingSchedule.Create(waiting.BindingId, "", waiting.Timezone, "{}", null, null)?.Schedule.EndOf(waiting.BusinessDate) ?? DateTimeOffset.MaxValue;

    private static long[] Sorted(IReadOnlyList<long> ids) => [.. ids.Distinct().Order()];
}
