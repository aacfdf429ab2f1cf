namespace KpiControl.Control.Leases;

/// <summary>What a dispatcher knows of a lane between two looks at it. All instants are the database's.</summary>
internal sealed class LaneView(Lane lane)
{
    private volatile bool _cursorsDirty = true;
    private volatile bool _readyDirty = true;
    private volatile bool _queueDirty = true;
    private volatile bool _asideDirty = true;
    private volatile bool _creditArrived;
    private volatile bool _leftWork;

    public Lane Lane => lane;

    /// <summary>The scan begins here: everything before it is dead index. A cursor that moved back resets it.</summary>
    public DateTimeOffset Mark { get; set; } = DateTimeOffset.MinValue;

    public DateTimeOffset NextDue { get; set; } = DateTimeOffset.MinValue;
    public DateTimeOffset NextReady { get; set; } = DateTimeOffset.MinValue;
    public DateTimeOffset NextAside { get; set; } = DateTimeOffset.MinValue;

    /// <summary>The next look at what is due takes a whole page, whatever the credit.</summary>
    public bool WholePage { get; set; }

    /// <summary>Due slots whose plan cannot be understood: they stay due, so a page must reach past them.</summary>
    public int NotUnderstood { get; private set; }

    /// <returns>Whether there are more of them than the last look knew of.</returns>
    public bool FindNotUnderstood(int count)
    {
        var more = count > NotUnderstood;
        NotUnderstood = count;
        return more;
    }

    public void LookAtDueBy(DateTimeOffset at) => NextDue = at < NextDue ? at : NextDue;

    public void LookAtReadyBy(DateTimeOffset at) => NextReady = at < NextReady ? at : NextReady;

    public void LookAtAsideBy(DateTimeOffset at) => NextAside = at < NextAside ? at : NextAside;

    public void MarkCursorsDirty() => _cursorsDirty = true;
    public void MarkReadyDirty() => _readyDirty = true;
    public void MarkQueueDirty() => _queueDirty = true;
    public void MarkAsideDirty() => _asideDirty = true;

    /// <summary>Due or ready work was left for lack of an agent: the next credit is worth a look.</summary>
    public bool LeftWork { get => _leftWork; set => _leftWork = value; }

    // Whether work was left is asked when the credit is taken, not here: a round may be about to leave some.
    public void CreditArrived() => _creditArrived = true;

    /// <summary>After credit came to a lane that had left work: look again, from the same mark.</summary>
    public void TakeCredit()
    {
        if (!_creditArrived)
            return;
        _creditArrived = false;
        if (!LeftWork)
            return;
        LeftWork = false;
        NextDue = NextReady = NextAside = DateTimeOffset.MinValue;
    }

    public void LookEverywhere() => _cursorsDirty = _readyDirty = _queueDirty = _asideDirty = true;

    /// <summary>True once after the lane was told of a cursor that may lie before the mark.</summary>
    public bool TakeCursorsDirty()
    {
        var was = _cursorsDirty;
        _cursorsDirty = false;
        if (was)
            Mark = NextDue = DateTimeOffset.MinValue;
        return was;
    }

    public bool TakeReadyDirty()
    {
        var was = _readyDirty;
        _readyDirty = false;
        if (was)
            NextReady = DateTimeOffset.MinValue;
        return was;
    }

    public bool TakeQueueDirty()
    {
        var was = _queueDirty;
        _queueDirty = false;
        return was;
    }

    public bool TakeAsideDirty()
    {
        var was = _asideDirty;
        _asideDirty = false;
        return was;
    }

    /// <summary>Slots to catch up with went to the region's catch-up lane, whose view must look.</summary>
    public bool QueuedElsewhere { get; set; }

    public bool HasNews => _cursorsDirty || _readyDirty || _queueDirty || _asideDirty || _creditArrived;
}
