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
    /// <summary>Slots that run one after the other, oldest first, in the backfill lane; list them with <see cref="JobSchedule.Slots"/>.</summary>
    public SlotRange? Queued { get; init; }
    /// <summary>The cursor from here on: the first slot that is not due, or, after <see cref="MissedSlots.MostPerDecision"/>, the next due one.</summary>
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
        var tally = Count(schedule, seen, oldest, now, mostSlots);
        if (tally.Next is { } more && more <= now) return Part(catchup, tally);
        return (catchup, tally.Newest) switch
        {
            (_, _) when tally.Newest < oldest => Missed(tally),
            (_, var only) when only == seen => new CatchupDecision { RunNow = only, NextCursor = tally.Next },
            ("all", _) => new CatchupDecision { Skipped = AsMissed(tally.Expired), Queued = tally.Fresh, NextCursor = tally.Next },
            ("latest", var newest) => RunNewest(newest, SkipReason.Superseded, tally),
            (_, var newest) when now - newest <= Punctual => RunNewest(newest, SkipReason.MissedWindow, tally),
            _ => Missed(tally),
        };
    }

    private static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;

    private readonly record struct Tally(SlotRange? Expired, SlotRange? Fresh, DateTimeOffset BeforeNewest, DateTimeOffset? Next)
    {
        public DateTimeOffset Newest => (Fresh ?? Expired)!.Value.Last;
        public SlotRange All => new((Expired ?? Fresh)!.Value.First, Newest, (Expired?.Count ?? 0) + (Fresh?.Count ?? 0));
    }

    private static Tally Count(JobSchedule schedule, DateTimeOffset seen, DateTimeOffset oldest, DateTimeOffset now, int most)
    {
        SlotRange? expired = null, fresh = null;
        DateTimeOffset slot = seen, before = seen;
        for (var counted = 1; ; counted++)
        {
            if (slot < oldest) expired = Grow(expired, slot);
            else fresh = Grow(fresh, slot);
            var next = schedule.Next(slot);
            if (next is not { } following || following > now || counted >= most) return new Tally(expired, fresh, before, next);
            (before, slot) = (slot, following);
        }
    }

    private static SlotRange Grow(SlotRange? range, DateTimeOffset slot) =>
        range is { } grown ? grown with { Last = slot, Count = grown.Count + 1 } : SlotRange.One(slot);

    // More slots are due than one decision takes: all of these have a later one behind them.
    private static CatchupDecision Part(string catchup, Tally tally) => catchup switch
    {
        "all" => new CatchupDecision { Skipped = AsMissed(tally.Expired), Queued = tally.Fresh, NextCursor = tally.Next },
        "latest" => new CatchupDecision { Skipped = [new SkippedSlots(tally.All, SkipReason.Superseded)], NextCursor = tally.Next },
        _ => Missed(tally),
    };

    private static CatchupDecision Missed(Tally tally) =>
        new() { Skipped = AsMissed(tally.All), NextCursor = tally.Next };

    private static CatchupDecision RunNewest(DateTimeOffset newest, string reason, Tally tally)
    {
        var others = tally.All with { Last = tally.BeforeNewest, Count = tally.All.Count - 1 };
        return new CatchupDecision { RunNow = newest, Skipped = [new SkippedSlots(others, reason)], NextCursor = tally.Next };
    }

    private static IReadOnlyList<SkippedSlots> AsMissed(SlotRange? range) =>
        range is { } missed ? [new SkippedSlots(missed, SkipReason.MissedWindow)] : [];
}
