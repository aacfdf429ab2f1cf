using System.Globalization;
using System.Text.Json;
using KpiControl.Control.Catalog;
using KpiControl.Control.Overrides;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Control.Runs;

/// <summary>A stored binding's schedule, as the scheduler itself understands it.</summary>
/// <param name="Mode">Which day a slot reports: <c>previous</c> or <c>current</c>.</param>
internal sealed record BindingSchedule(JobSchedule Schedule, string Mode)
{
    public DateOnly BusinessDate(DateTimeOffset slot) => Schedule.BusinessDate(slot, Mode);

    public DateTimeOffset? LastSlotOf(DateOnly businessDate) => Schedule.LastSlotOf(businessDate, Mode);

    /// <summary>Null where this machine cannot understand it, which authoring would have refused.</summary>
    /// <param name="cron">Empty for jobs without slots. It and the zone are the binding's, over the definition's.</param>
    /// <param name="calendarJson">The calendar that the definition names, at the version in force; null where it names none.</param>
    /// <param name="overridesJson">What stands over it; null for nothing.</param>
    public static BindingSchedule? Create(long bindingId, string cron, string timezone, string canonicalJson, string? calendarJson, string? overridesJson)
    {
        using var job = JsonDocument.Parse(canonicalJson);
        var spec = new JobScheduleSpec
        {
            Type = cron.Length > 0 ? "cron" : "manual", Expression = cron, Timezone = timezone, DayMatch = Text(job.RootElement, "schedule", "day_match"), Calendar = Text(job.RootElement, "schedule", "calendar"),
            StartAt = Text(job.RootElement, "schedule", "start_at"), EndAt = Text(job.RootElement, "schedule", "end_at"),
            Spread = Text(job.RootElement, "schedule", "spread") is { } text && Durations.TryParse(text, out var spread) ? spread : null,
        };
        // The binding's number is what H in an expression and the place within spread are a hash of: the dispatcher uses the same.
        var (identity, calendar) = (bindingId.ToString(CultureInfo.InvariantCulture), KnownCalendars.Read(calendarJson));
        return OverrideList.Read(overridesJson).Schedule(spec, one => JobSchedule.TryCreate(one, out var understood, out _, identity, calendar) ? understood : null) is { } schedule
            ? new BindingSchedule(schedule, Text(job.RootElement, "dependencies", "business_date") ?? "previous")
            : null;
    }

    private static string? Text(JsonElement job, string parent, string name) =>
        job.TryGetProperty(parent, out var section) && section.TryGetProperty(name, out var value) ? value.GetString() : null;
}
