namespace KpiControl.Jobs.Sla;

/// <summary>Where a clock stands.</summary>
/// <param name="StaleAt">Of freshness: when a result that reaches so far is not fresh any more (null: never); null for other clocks.</param>
public sealed record SlaStanding(SlaState State, SlaPromise Promise, Func<DateTimeOffset, DateTimeOffset?>? StaleAt);

/// <summary>What a look at a clock, at the instant that it was due, comes to.</summary>
/// <param name="Promise">What it waits for next; the same one while it warns or is in breach.</param>
/// <param name="DueAt">When to look again; null: no instant changes it, only a result does.</param>
public sealed record SlaTurn(SlaState State, SlaPromise? Promise, DateTimeOffset? DueAt)
{
    /// <summary>Decides for an instant that has come, however late it is looked at.</summary>
    /// <param name="at">The instant: the promise's warning, or its breach.</param>
    /// <param name="goodThrough">What the last good result covered that was recorded by then.</param>
    /// <param name="next">The promise that follows a kept one, given what was good.</param>
    public static SlaTurn At(SlaStanding was, DateTimeOffset at, DateTimeOffset? goodThrough, Func<DateTimeOffset, SlaPromise?> next)
    {
        if (Holds(was, at, goodThrough) && next(goodThrough!.Value) is var promise)
            return new SlaTurn(SlaState.Pass, promise, promise?.WarnAt);
        return was.State == SlaState.Pass && was.Promise.BreachAt > was.Promise.WarnAt
            ? new SlaTurn(SlaState.Warn, was.Promise, was.Promise.BreachAt)
            : new SlaTurn(SlaState.Breach, was.Promise, null);
    }

    /// <summary>Whether a result makes the promise good: it is what was waited for, and of freshness, it is not stale again already.</summary>
    public static bool Holds(SlaStanding was, DateTimeOffset at, DateTimeOffset? goodThrough) =>
        was.Promise.IsKeptBy(goodThrough) && (was.StaleAt is null || !(was.StaleAt(goodThrough!.Value) <= at));
}
