using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Sla;

/// <summary>What a job promises of one run: how long it may take, by when it must be there, and how far its result reaches.</summary>
public static class RunPromise
{
    /// <summary>Null where nothing is promised of it.</summary>
    public static SlaState? Latency(JobSla? sla, TimeSpan took) => sla?.Latency is not { } promised ? null
        : took <= promised.Target ? SlaState.Pass
        : took <= promised.Target + promised.GraceInForce ? SlaState.Warn
        : SlaState.Breach;

    /// <summary>The instant after which a slot's result is late beyond the grace; null for slots that no deadline waits for.</summary>
    public static DateTimeOffset? DeliverBy(JobSla? sla, JobSchedule schedule, DateTimeOffset slot)
    {
        if (sla?.Availability is not { } promised) return null;
        var beforeItsDay = schedule.EndOf(schedule.LocalDate(slot).AddDays(-1)).AddTicks(-1);
        return SlaPromise.Availability(promised, schedule, beforeItsDay, DateTimeOffset.MinValue) is { } next && next.Needs == slot ? next.BreachAt : null;
    }

    /// <summary>The end of the window that a result covers: its slot, or for a date of the past the last slot that carries it.</summary>
    public static DateTimeOffset GoodThrough(JobSchedule schedule, DateTimeOffset slot, DateOnly businessDate, string mode) =>
        businessDate >= schedule.BusinessDate(slot, mode) ? slot : schedule.LastSlotOf(businessDate, mode) ?? schedule.EndOf(businessDate);

    /// <summary>A partial result delivers, unless it says that the last good one stands.</summary>
    public static bool IsGood(string status, string onRuleFail) =>
        status == Runs.RunStatus.Success || (status == Runs.RunStatus.Partial && onRuleFail != "last_good");
}
