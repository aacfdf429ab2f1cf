namespace KpiControl.Control.Leases;

/// <summary>Goes on with what stands aside and is to be tried again: in the row where that is free, beside what is in it where it is not.</summary>
internal sealed class AsideWork(AsideStore store, ReadyWork ready)
{
    // A session is elsewhere, or the row went on. Not at once: on another timeline none is granted.
    private static readonly TimeSpan AfterRefusal = TimeSpan.FromSeconds(1);

    /// <returns>Whether there is more to do at once.</returns>
    public async Task<bool> LeaseAsync(LaneView view, IReadOnlyList<AgentSession> agents, DatabaseClock clock, CancellationToken token)
    {
        if (!view.TakeAsideDirty() && clock.Now < view.NextAside)
            return false;
        view.NextAside = DateTimeOffset.MaxValue;
        var rows = await store.ScanAsync(view.Lane.Number, token);
        if (rows.Count == 0)
            return false;
        clock.Tell(rows[0].Now);
        foreach (var row in rows)
            if (row.LookAt is { } at && at > row.Now)
                view.LookAtAsideBy(at);
        return await EndAsync(view, [.. rows.Where(row => row.GaveUp)], token)
            | await ComeBackAsync(view, [.. rows.Where(row => row is { GaveUp: false, IsDue: true, RowIsFree: true })], token)
            | await GrantAsync(view, [.. rows.Where(row => row is { GaveUp: false, IsDue: true, RowIsFree: false, MayStart: true })], agents, token);
    }

    private async Task<bool> EndAsync(LaneView view, List<AsideRow> rows, CancellationToken token)
    {
        if (rows.Count == 0)
            return false;
        await store.GiveUpAsync(rows, token);
        view.MarkAsideDirty();
        return true;
    }

    private async Task<bool> ComeBackAsync(LaneView view, List<AsideRow> rows, CancellationToken token)
    {
        if (rows.Count == 0)
            return false;
        await store.ComeBackAsync([.. rows.Select(row => row.Key)], token);
        view.MarkReadyDirty();
        // Others of the same jobs may be next.
        view.MarkAsideDirty();
        return true;
    }

    private async Task<bool> GrantAsync(LaneView view, List<AsideRow> rows, IReadOnlyList<AgentSession> agents, CancellationToken token)
    {
        if (rows.Count == 0)
            return false;
        var grants = await ready.ChooseAsync([.. rows.Select(row => row.ToReady())], agents, rows[0].Now, token);
        if (grants.Count < rows.Count)
            view.LeftWork = true;
        if (grants.Count == 0)
            return false;
        var granted = await ready.GrantAsync(grants, agents, store.GrantAsync, token);
        if (granted.Count > 0)
            view.MarkAsideDirty();
        else
            view.LookAtAsideBy(rows[0].Now + AfterRefusal);
        return granted.Count > 0;
    }
}
