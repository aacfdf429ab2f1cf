using System.Globalization;
using KpiControl.Control.Authoring;
using KpiControl.Control.Requests;
using KpiControl.Control.Runs;

namespace KpiControl.Control.Signals;

/// <summary>Jobs of type event: what a signal starts.</summary>
internal static class Events
{
    /// <param name="businessDate">Null: as for a scheduled run at this instant.</param>
    /// <returns>How many occurrences it made.</returns>
    public static async Task<int> StartAsync(RequestTransaction tx, PublishTarget target, string name, long signalId, DateOnly? businessDate)
    {
        var listening = await EventStore.ListeningAsync(tx, target.Tenant, target.Environment, target.Region, name);
        if (listening.Count == 0)
            return 0;
        var now = await CursorStore.NowAsync(tx);
        var starts = listening.Select(job => Start(job, businessDate, now)).OfType<StartedEvent>().ToList();
        return starts.Count == 0 ? 0
            : await EventStore.StartAsync(tx, starts, target.Environment, SlotKeyOf(name, signalId, businessDate), Reason(name, signalId, businessDate));
    }

    // A dated signal is one fact, however often and for however many regions it is told; an undated one is each time another.
    private static string SlotKeyOf(string name, long signalId, DateOnly? businessDate) => businessDate is { } date
        ? string.Create(CultureInfo.InvariantCulture, $"event:{name}:{date:yyyy-MM-dd}")
        : string.Create(CultureInfo.InvariantCulture, $"event:signal/{signalId}");

    private static string Reason(string name, long signalId, DateOnly? businessDate) =>
        string.Create(CultureInfo.InvariantCulture, $"signal/{signalId} {name}{(businessDate is { } date ? $" of {date:yyyy-MM-dd}" : "")}");

    private static StartedEvent? Start(ListeningRow job, DateOnly? businessDate, DateTimeOffset now) =>
        BindingSchedule.Create(job.BindingId, "", job.Timezone, job.CanonicalJson, null, null) is { } schedule && !(now < schedule.Schedule.StartsAt) && !(now > schedule.Schedule.EndsAt)
            ? new StartedEvent(job.BindingId, businessDate ?? schedule.BusinessDate(now)) : null;
}
