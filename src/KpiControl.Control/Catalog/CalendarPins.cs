using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;

namespace KpiControl.Control.Catalog;

/// <summary>Lets a binding take the latest version of its calendar, and no other, into force.</summary>
/// <remarks>
/// Bindings are held before the calendar, by those who pin it and by those who store a version: in this order neither can
/// wait for the other in a circle, and no binding is left at a version that is no longer the latest.
/// </remarks>
internal static class CalendarPins
{
    /// <param name="jobs">With the calendars as they were looked at.</param>
    public static async Task HoldAsync(RequestTransaction tx, IEnumerable<CheckedJob> jobs)
    {
        // In one order, as everybody who takes several.
        foreach (var calendar in jobs.Select(job => job.Calendar).OfType<CalendarRow>().DistinctBy(row => (row.TenantId, row.Name)).OrderBy(row => row.Name, StringComparer.Ordinal))
        {
            await CalendarStore.ShareAsync(tx, calendar.TenantId, calendar.Name);
            if (await CalendarStore.LatestAsync(tx, calendar.TenantId, calendar.Name) != calendar.Version)
                throw Reject.Aborted("CALENDAR_MOVED", $"Somebody stored another version of the calendar {calendar.Name} at the same moment; try again.");
        }
    }
}
