using KpiControl.Jobs.Runs;

namespace KpiControl.Jobs.Schedules;

/// <summary>Consecutive slots of one schedule, first and last included: what one history row or one queue entry stands for.</summary>
public readonly record struct SlotRange(DateTimeOffset First, DateTimeOffset Last, long Count)
{
    public static SlotRange One(DateTimeOffset slot) => new(slot, slot, 1);
}

/// <summary>Slots that will not run, and why (<see cref="SkipReason"/>).</summary>
public readonly record struct SkippedSlots(SlotRange Range, string Reason);

/// <summary>What becomes of every slot from a cursor up to now: each of them is in exactly one place.</summary>
public sealed record CatchupDecision
{
    /// <summary>The slot to run in the live lane, if any.</summary>
    public DateTimeOffset? RunNow { get; init; }
    /// <summary>In order of time; at most one range per reason and stretch.</summary>
    public IReadOnlyList<SkippedSlots> Skipped { get; init; } = [];
    /// <summary>Slots that run one after the other, oldest first, in the backfill lane; list them with <see cref="JobSchedule.Slots"/>. More than one range only where a calendar's holiday lies between.</summary>
    public IReadOnlyList<SlotRange> Queued { get; init; } = [];
    /// <summary>The cursor from here on: the first expected slot that is not due, or, after <see cref="MissedSlots.MostPerDecision"/>, the next due one.</summary>
    public DateTimeOffset? NextCursor { get; init; }
}

/// <summary>What happens to the slots that came and went while nobody looked, or while the binding was paused.</summary>
/// <remarks>
/// A slot is <em>missed</em> when a later one is due as well; one that is merely late runs. <c>latest</c> runs the
/// newest and records the others as superseded; <c>all</c> queues every one; <c>none</c> records them all as missed,
/// unless the newest came due within the last minute, when it is nobody's leftover. What is older than the catch-up
/// window never runs.
/// </remarks>
public static class MissedSlots
{
    /// <summary>A decision takes about a microsecond a slot; a longer backlog is decided in several, so that one binding never holds up the others.</summary>
    public const int MostPerDecision = 2_000_000;

    private static readonly TimeSpan Punctual = TimeSpan.FromMinutes(1);

    /// <param name="catchup"><c>none</c>, <c>latest</c> or <c>all</c>.</param>
    /// <param name="window">The oldest that may still run.</param>
    /// <param name="seen">The cursor: the oldest slot that is nothing yet. Not due: nothing happens.</param>
    public static CatchupDecision Decide(JobSchedule schedule, string catchup, TimeSpan window, DateTimeOffset seen, DateTimeOffset now,
        int mostSlots = MostPerDecision)
    {
        if (seen > now) return new CatchupDecision { NextCursor = seen };
        var oldest = now - seen < window ? seen : Later(now - window, seen);
        var due = DueSlots.Count(schedule, seen, oldest, now, mostSlots);
        var decision = Decide(due, catchup, oldest, now) with { NextCursor = due.Next };
        return due.Exceptions.Count == 0 ? decision
            : decision with { Skipped = [.. decision.Skipped.Concat(due.Exceptions).OrderBy(skipped => skipped.Range.First)] };
    }

    /// <summary>All from a cursor up to now as ones that do not run: what an edit of the schedule leaves behind.</summary>
    public static IReadOnlyList<SkippedSlots> LeftBehind(JobSchedule schedule, string reason, DateTimeOffset seen, DateTimeOffset now)
    {
        var due = DueSlots.Count(schedule, seen, seen, now, int.MaxValue);
        return [.. due.All.Select(range => new SkippedSlots(range, reason)).Concat(due.Exceptions).OrderBy(skipped => skipped.Range.First)];
    }

    private static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;

    private static CatchupDecision Decide(DueSlots due, string catchup, DateTimeOffset oldest, DateTimeOffset now)
    {
        if (due.Newest is not { } newest) return new CatchupDecision();
        if (due.Next <= now) return Part(catchup, due);
        return catchup switch
        {
            _ when newest < oldest => Skip(due.All, SkipReason.MissedWindow),
            _ when due.IsOne => new CatchupDecision { RunNow = newest },
            "all" => Skip(due.Expired, SkipReason.MissedWindow) with { Queued = due.Fresh },
            "latest" => Skip(due.AllButNewest(), SkipReason.Superseded) with { RunNow = newest },
            _ when now - newest <= Punctual => Skip(due.AllButNewest(), SkipReason.MissedWindow) with { RunNow = newest },
            _ => Skip(due.All, SkipReason.MissedWindow),
        };
    }

    // More slots are due than one decision takes: all of these have a later one behind them.
    private static CatchupDecision Part(string catchup, DueSlots due) => catchup switch
    {
        "all" => Skip(due.Expired, SkipReason.MissedWindow) with { Queued = due.Fresh },
        "latest" => Skip(due.All, SkipReason.Superseded),
        _ => Skip(due.All, SkipReason.MissedWindow),
    };

    private static CatchupDecision Skip(IEnumerable<SlotRange> ranges, string reason) =>
        new() { Skipped = [.. ranges.Select(range => new SkippedSlots(range, reason))] };
}
