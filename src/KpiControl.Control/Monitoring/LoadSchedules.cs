using System.Globalization;
using KpiControl.Control.Runs;
using KpiControl.Jobs.Load;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Control.Monitoring;

/// <summary>Understands the schedules of a load map's jobs, those that have the same slots once. Pure.</summary>
internal sealed class LoadSchedules(IReadOnlyList<LoadCalendarRow> calendars)
{
    private readonly Dictionary<(string, string, int), string> texts = calendars.ToDictionary(k => (k.TenantId, k.Name, k.Version), k => k.CanonicalJson);
    private readonly Dictionary<object, JobSchedule?> known = [];

    /// <summary>Null where this machine cannot understand it, and where it has no slots.</summary>
    public LoadJob? Of(LoadRow row) =>
        Schedule(row) is { HasSlots: true } schedule ? new LoadJob(row.JobId, row.BindingId.ToString(CultureInfo.InvariantCulture), schedule, row.PausedUntil) : null;

    private JobSchedule? Schedule(LoadRow row)
    {
        var key = (row.ScheduleCron, row.Timezone, row.DefinitionJson, row.Calendar is null ? null : row.TenantId, row.Calendar, row.CalendarVersion, HasPlaceOfItsOwn(row) ? row.BindingId : 0);
        if (!known.TryGetValue(key, out var schedule))
            known[key] = schedule = BindingSchedule.Create(row.BindingId, row.ScheduleCron, row.Timezone, row.DefinitionJson,
                row.Calendar is { } name ? texts.GetValueOrDefault((row.TenantId, name, row.CalendarVersion ?? 0)) : null, row.OverridesJson)?.Schedule;
        return schedule;
    }

    // H in an expression and a spread are a hash of the binding, and an override is one binding's.
    private static bool HasPlaceOfItsOwn(LoadRow row) =>
        row.OverridesJson is not null || row.ScheduleCron.Contains('H', StringComparison.OrdinalIgnoreCase) || row.DefinitionJson.Contains("\"spread\"", StringComparison.Ordinal);
}
