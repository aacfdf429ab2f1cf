namespace KpiControl.Jobs.Schedules;

/// <summary>The slots from a cursor up to now, told apart by whether they may still run, and those that the calendar takes away.</summary>
/// <remarks>A stretch ends where another begins: no slot of one row lies within another's, since a place in the ledger is one slot's alone.</remarks>
internal sealed class DueSlots
{
    private readonly List<SlotRange> _all = [], _expired = [], _fresh = [];
    private readonly List<SkippedSlots> _exceptions = [];
    private DateTimeOffset _beforeNewest;

    private DueSlots() { }

    public IReadOnlyList<SlotRange> All => _all;
    /// <summary>Older than the catch-up window.</summary>
    public IReadOnlyList<SlotRange> Expired => _expired;
    public IReadOnlyList<SlotRange> Fresh => _fresh;
    public IReadOnlyList<SkippedSlots> Exceptions => _exceptions;
    /// <summary>The first slot that was not counted.</summary>
    public DateTimeOffset? Next { get; private set; }

    /// <summary>Null where all of them fell on holidays or in blackouts.</summary>
    public DateTimeOffset? Newest => _all.Count > 0 ? _all[^1].Last : null;

    public bool IsOne => _all is [{ Count: 1 }];

    public static DueSlots Count(JobSchedule schedule, DateTimeOffset seen, DateTimeOffset oldest, DateTimeOffset now, int most)
    {
        var due = new DueSlots();
        var (slot, afterException) = (seen, false);
        for (var counted = 1; ; counted++)
        {
            var exception = schedule.ExceptionAt(slot);
            if (exception is { } taken)
                due.Except(slot, taken.Reason, goesOn: afterException);
            else
                due.Add(slot, slot < oldest ? due._expired : due._fresh, anew: afterException);
            afterException = exception is not null;
            due.Next = schedule.NextExpected(slot);
            if (due.Next is not { } following || following > now || counted >= most) return due;
            slot = following;
        }
    }

    public IEnumerable<SlotRange> AllButNewest() => _all[^1] is { Count: > 1 } last ? [.. _all[..^1], last with { Last = _beforeNewest, Count = last.Count - 1 }] : _all[..^1];

    private void Add(DateTimeOffset slot, List<SlotRange> kind, bool anew)
    {
        if (_all.Count > 0) _beforeNewest = _all[^1].Last;
        Grow(_all, slot, anew);
        Grow(kind, slot, anew);
    }

    private void Except(DateTimeOffset slot, string reason, bool goesOn)
    {
        if (goesOn && _exceptions[^1] is { } last && last.Reason == reason)
            _exceptions[^1] = last with { Range = last.Range with { Last = slot, Count = last.Range.Count + 1 } };
        else
            _exceptions.Add(new SkippedSlots(SlotRange.One(slot), reason));
    }

    private static void Grow(List<SlotRange> ranges, DateTimeOffset slot, bool anew)
    {
        if (anew || ranges.Count == 0)
            ranges.Add(SlotRange.One(slot));
        else
            ranges[^1] = ranges[^1] with { Last = slot, Count = ranges[^1].Count + 1 };
    }
}
