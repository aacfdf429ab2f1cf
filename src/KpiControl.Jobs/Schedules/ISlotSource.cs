namespace KpiControl.Jobs.Schedules;

/// <summary>Instants in UTC, in order: what an expression says, before start and end, spread and calendar.</summary>
internal interface ISlotSource
{
    /// <summary>The first strictly after an instant.</summary>
    DateTime? Next(DateTime after);

    /// <summary>The last strictly before an instant.</summary>
    DateTime? Previous(DateTime before);
}

/// <summary>Instants that are few enough to be kept.</summary>
internal sealed class FixedSlots(IEnumerable<DateTime> slots) : ISlotSource
{
    private readonly DateTime[] _slots = [.. slots.Distinct().Order()];

    public DateTime? Next(DateTime after) => Array.BinarySearch(_slots, after) is var at && (at < 0 ? ~at : at + 1) is var index && index < _slots.Length ? _slots[index] : null;

    public DateTime? Previous(DateTime before) => Array.BinarySearch(_slots, before) is var at && (at < 0 ? ~at : at) - 1 is var index && index >= 0 ? _slots[index] : null;
}

/// <summary>Those of another source that no closed stretch covers. From a stretch it goes on at its end, so that a weekend costs a step a day and not a step a slot.</summary>
internal sealed class OpenSlots(ISlotSource source, Func<DateTime, ClosedStretch?> closedAt) : ISlotSource
{
    public DateTime? Next(DateTime after)
    {
        var slot = source.Next(after);
        while (slot is { } found && closedAt(found) is { } closed) slot = source.Next(closed.Until.AddTicks(-1));
        return slot;
    }

    public DateTime? Previous(DateTime before)
    {
        var slot = source.Previous(before);
        while (slot is { } found && closedAt(found) is { } closed) slot = source.Previous(closed.From);
        return slot;
    }
}

/// <summary>From an instant, included, until another.</summary>
internal readonly record struct ClosedStretch(DateTime From, DateTime Until, string Reason, string? Name);
