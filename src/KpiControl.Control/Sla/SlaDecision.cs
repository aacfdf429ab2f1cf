using KpiControl.Control.Leases;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;
using KpiControl.Jobs.Sla;

namespace KpiControl.Control.Sla;

/// <summary>What becomes of a clock; pure.</summary>
internal static class SlaDecision
{
    private static readonly TimeSpan TryAgain = TimeSpan.FromMinutes(1);

    /// <param name="plan">Null where the binding's plan cannot be read: looked at again in a minute, as the log says.</param>
    public static SlaChange Of(SlaClockRow row, BindingPlan? plan) =>
        !row.Active ? Off(row, "retired")
        : plan is null ? SlaChange.Of(row) with { DueAt = row.Now + TryAgain, Replan = row.Replan }
        : row.Replan || row.Promise is null ? Planned(row, plan)
        : Due(row, plan);

    /// <summary>For an open one: a result makes it good.</summary>
    public static SlaChange Recovered(SlaClockRow row, BindingPlan? plan)
    {
        // The database looks at plain time only: in business hours what is newer may be stale as well, and something newer still is waited for.
        if (row is { Clock: SlaWords.Freshness, BusinessHours: not null, Promise: { } promise, GoodThrough: { } reached } && plan is not null && StaleAt(row, plan)(reached) <= row.Now)
            return SlaChange.Of(row) with { Promise = promise.BeyondStale(reached), Replan = row.Replan };
        var next = plan is null || row.Clock == SlaWords.Latency ? null : Next(row, plan, row.GoodThrough ?? row.ArmedAt, row.Now);
        return SlaChange.Of(row) with
        {
            State = "pass", Promise = next, DueAt = next?.WarnAt, Replan = plan is null, ResolvedAt = row.RecoveredAt ?? row.Now, Resolution = "recovered",
        };
    }

    /// <summary>For latency: runs that took longer, in the order in which they were recorded.</summary>
    public static SlaChange Slow(SlaClockRow row, IReadOnlyList<SlowRun> runs)
    {
        var breached = runs.FirstOrDefault(run => run.IsBreach)?.RecordedAt;
        var last = runs[^1];
        return SlaChange.Of(row) with
        {
            State = row.State == "breach" || breached is not null ? "breach" : "warn", RunId = last.RunId, Replan = row.Replan,
            // A run after this instant may end it.
            Promise = new SlaPromise(last.RecordedAt, last.RecordedAt, last.RecordedAt),
            OpenedAt = row.IsOpen ? null : runs[0].RecordedAt, BreachedAt = row.State == "breach" ? null : breached,
        };
    }

    private static SlaChange Off(SlaClockRow row, string why) => SlaChange.Of(row) with
    {
        State = "off", Promise = null, DueAt = null, ResolvedAt = row.IsOpen ? row.Now : null, Resolution = row.IsOpen ? why : null,
    };

    private static SlaChange Planned(SlaClockRow row, BindingPlan plan)
    {
        var promised = Promised(row.Clock, plan.Job.Sla);
        var planned = SlaChange.Of(row) with { Target = promised?.Target, Grace = promised?.GraceInForce, BusinessHours = promised?.BusinessHours };
        if (row.Clock == SlaWords.Latency)
            return planned with { State = row.IsOpen ? row.State : "pass", DueAt = null };
        if (row.IsOpen && (row.Clock == SlaWords.Availability || row.Promise is null))
            return planned with { DueAt = row.State == "warn" ? row.BreachAt : null };
        // From the instant of the change on, so that a deadline that came since is not passed over; and of another schedule than
        // before, no slot of before that instant is owed.
        var changed = row.DueAt ?? row.Now;
        var good = Latest(row.GoodThrough, row.ArmedAt);
        var next = Next(row, plan, good, changed);
        if (row.Clock == SlaWords.Availability && next != row.Promise)
            next = Next(row with { ArmedAt = changed }, plan, good, changed);
        if (!row.IsOpen || next is null || next.WarnAt > row.Now)
            return planned with
            {
                State = "pass", Promise = next, DueAt = next?.WarnAt, ResolvedAt = row.IsOpen ? row.Now : null, Resolution = row.IsOpen ? "changed" : null,
            };
        return planned with { Promise = next, DueAt = row.State == "warn" ? next.BreachAt : null };
    }

    private static SlaChange Due(SlaClockRow row, BindingPlan plan)
    {
        var was = new SlaStanding(SlaWords.State(row.State), row.Promise!, row.Clock == SlaWords.Freshness && row.Target is not null ? StaleAt(row, plan) : null);
        var at = was.State == SlaState.Pass ? was.Promise.WarnAt : was.Promise.BreachAt;
        var turn = SlaTurn.At(was, at, row.GoodThen, good => Next(row, plan, good, at));
        var change = SlaChange.Of(row) with { State = turn.State.Word(), Promise = turn.Promise, DueAt = turn.DueAt };
        if (turn.State == SlaState.Pass)
            return row.IsOpen ? change with { ResolvedAt = Earliest(row.RecoveredAt, at), Resolution = "recovered" } : change;
        return change with
        {
            OpenedAt = was.State == SlaState.Pass ? was.Promise.WarnAt : null, BreachedAt = turn.State == SlaState.Breach ? was.Promise.BreachAt : null,
        };
    }

    private static SlaPromise? Next(SlaClockRow row, BindingPlan plan, DateTimeOffset good, DateTimeOffset after) => row.Clock == SlaWords.Freshness
        ? plan.Job.Sla?.Freshness is { } fresh ? Hours(fresh.BusinessHours, plan) is { } hours ? SlaPromise.Freshness(fresh, good, hours) : SlaPromise.Freshness(fresh, good) : null
        : plan.Job.Sla?.Availability is { } available ? SlaPromise.Availability(available, plan.Schedule, after, row.ArmedAt) : null;

    // By what the clock was planned by.
    private static Func<DateTimeOffset, DateTimeOffset?> StaleAt(SlaClockRow row, BindingPlan plan) =>
        Hours(row.BusinessHours, plan) is { } hours ? good => hours.After(good, row.Target ?? TimeSpan.Zero) : good => good + row.Target;

    // Validation sees to it that who promises business hours has a calendar.
    private static BusinessHours? Hours(string? hours, BindingPlan plan) => hours is null ? null : plan.Schedule.BusinessHours(hours);

    private static SlaTarget? Promised(string clock, JobSla? sla) => clock switch
    {
        SlaWords.Freshness => sla?.Freshness,
        SlaWords.Latency => sla?.Latency,
        _ => null,
    };

    private static DateTimeOffset Latest(DateTimeOffset? a, DateTimeOffset b) => a > b ? a.Value : b;

    private static DateTimeOffset Earliest(DateTimeOffset? a, DateTimeOffset b) => a < b ? a.Value : b;
}

/// <summary>A run that took longer than its promised latency.</summary>
internal sealed record SlowRun(long NoticeId, long RunId, bool IsBreach, DateTimeOffset RecordedAt);
