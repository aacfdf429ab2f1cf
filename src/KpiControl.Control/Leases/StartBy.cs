namespace KpiControl.Control.Leases;

/// <summary>When a ready occurrence gives up that nobody takes. Pure.</summary>
internal static class StartBy
{
    // One that is looked at a moment before a slot is given that slot's time, or it would end before anybody could take it.
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(5);

    /// <param name="isShown">Whether an agent can take it is what the row says already.</param>
    /// <param name="unroutableGivesUpAfter">For what has no successor before which it must give up.</param>
    public static DateTimeOffset? Of(RoutedRow row, BindingPlan plan, bool isRoutable, bool isShown, TimeSpan unroutableGivesUpAfter)
    {
        DateTimeOffset? atLast = isRoutable ? null : row.SeenAt + unroutableGivesUpAfter;
        if (row.Kind == OccurrenceKind.Schedule)
            return row.Deadline ?? (row.WasTried ? BetweenAttempts(row, plan) : null) ?? atLast;
        return isShown ? row.Deadline : OwnDeadline(row, plan) ?? atLast;
    }

    // While it is between attempts, the slots that come due are skipped. Counted from when it is seen to be ready and not from its slot:
    // a retry may be due after its successor, and after a pause or an outage its agents are given the time to come back.
    private static DateTimeOffset? BetweenAttempts(RoutedRow row, BindingPlan plan) => plan.GivesUpAt(row.SeenAt + Moment);

    // What it would have without an outage of its agents; null: it does not give up then.
    private static DateTimeOffset? OwnDeadline(RoutedRow row, BindingPlan plan) => row switch
    {
        { WasTried: true } => null,
        { Kind: OccurrenceKind.Event or OccurrenceKind.Manual } => row.ScheduledFor + plan.Job.Dependencies.WaitTimeout,
        { Kind: OccurrenceKind.Replay or OccurrenceKind.Backfill } when plan.HasDependencies => row.Deadline,
        _ => null,
    };
}
