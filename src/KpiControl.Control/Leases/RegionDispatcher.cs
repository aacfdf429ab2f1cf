namespace KpiControl.Control.Leases;

/// <summary>
/// Hands a region's due work to the agents of this node. Sleeps until the next instant it knows of, or until woken: by
/// credit, by a cursor that moved back, by something that queued or became ready.
/// </summary>
internal sealed class RegionDispatcher(string region, RegionWork work, TimeProvider time)
{
    private readonly WakeSignal _wake = new(time);
    private readonly DatabaseClock _clock = new(time);
    private volatile LaneView[] _lanes = [];

    public void Add(Lane lane)
    {
        if (Array.Exists(_lanes, view => view.Lane.Number == lane.Number))
            return;
        _lanes = [.. _lanes.Append(new LaneView(lane)).OrderBy(view => view.Lane.Priority)];
        Wake();
    }

    public void Wake() => _wake.Ring();

    public void CreditArrived()
    {
        foreach (var view in _lanes)
            view.CreditArrived();
        Wake();
    }

    // It may have been resumed: what stands aside goes on too.
    public void CursorMovedBack(short lane) => Tell(lane, view =>
    {
        view.MarkCursorsDirty();
        view.MarkAsideDirty();
    });

    public void Queued(short lane) => Tell(lane, view => view.MarkQueueDirty());

    public void QueuedAnywhere()
    {
        foreach (var view in _lanes)
            view.MarkQueueDirty();
        Wake();
    }

    public void Aside(short lane) => Tell(lane, view => view.MarkAsideDirty());

    public void Ready(short lane) => Tell(lane, view => view.MarkReadyDirty());

    public void LookEverywhere()
    {
        foreach (var view in _lanes)
            view.LookEverywhere();
        Wake();
    }

    public async Task RunAsync(CancellationToken token)
    {
        var lookedEverywhereAt = time.GetTimestamp();
        while (!token.IsCancellationRequested)
        {
            var sleep = await work.RoundAsync(region, _lanes, _clock, token);
            await _wake.WaitAsync(sleep, token);
            if (time.GetElapsedTime(lookedEverywhereAt) >= work.PollEvery)
            {
                lookedEverywhereAt = time.GetTimestamp();
                foreach (var view in _lanes)
                    view.LookEverywhere();
            }
        }
    }

    private void Tell(short lane, Action<LaneView> what)
    {
        foreach (var view in _lanes)
            if (view.Lane.Number == lane)
                what(view);
        Wake();
    }
}
