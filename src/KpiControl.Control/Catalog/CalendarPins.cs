using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;

namespace KpiControl.Control.Catalog;

/// <summary>Lets a binding take the latest version of its calendar, and no other, into force.</summary>
/// <remarks>
/// Bindings are held before the calendar, by those who pin it and by those who store a version: in this order neither can
/// wait for the other in a circle, and no binding is left at a version that is no longer the latest.
/// </remarks>
internal static class CalendarPins
{
    /// <summary>A binding whose schedule is edited, or that runs again, on its calendar's latest version; refused where it would have no slot on it.</summary>
    /// <param name="edited">Held for the transaction.</param>
    public static async Task<Binding> OnLatestAsync(RequestTransaction tx, JobArtifact job, Binding edited)
    {
        var name = job.Schedule.Calendar!;
        await CalendarStore.ShareAsync(tx, edited.TenantId, name);
        var calendar = await CalendarStore.FindAsync(tx, edited.TenantId, name) ?? throw new InvalidOperationException($"The calendar {name} is gone.");
        if (CalendarCheck.Check(job with { Schedule = JobEdit.InForce(job, edited) }, calendar.Understand(), []) is [var finding, ..])
            throw Reject.Invalid("schedule_cron", finding.Message);
        return edited with { CalendarVersion = calendar.Version, CalendarJson = calendar.CanonicalJson };
    }

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
