using System.Globalization;
using System.Text.Json;
using KpiControl.Control.Catalog;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Control.Authoring;

/// <summary>What an artifact puts into a binding's rows.</summary>
internal static class BoundJob
{
    private static readonly JsonSerializerOptions Sparse = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>Empty for event and manual jobs.</summary>
    public static string Cron(JobArtifact job) => job.Schedule.Type == "cron" ? job.Schedule.Expression : "";

    /// <summary>JSON: what cron cannot say.</summary>
    public static string ScheduleExtra(JobArtifact job) => JsonSerializer.Serialize(new
    {
        job.Schedule.Type, job.Schedule.DayMatch, job.Schedule.Catchup, CatchupWindow = Durations.Format(job.Schedule.CatchupWindow), job.Schedule.Overlap,
        job.Schedule.Calendar, job.Schedule.StartAt, job.Schedule.EndAt, Spread = job.Schedule.Spread is { } spread ? Durations.Format(spread) : null,
        On = job.Schedule.On.Count > 0 ? job.Schedule.On : null,
    }, Sparse);

    /// <summary>The schedule in force, on the calendar in force, under what stands over it.</summary>
    public static JobSchedule Schedule(JobArtifact job, Binding binding)
    {
        var calendar = KnownCalendars.Read(binding.CalendarJson);
        return binding.Overrides.Schedule(JobEdit.InForce(job, binding), spec => Schedule(spec, binding.BindingId, calendar))!;
    }

    /// <summary>What H in an expression is a hash of is the binding's id, for whoever computes slots.</summary>
    public static JobSchedule Schedule(JobScheduleSpec spec, long bindingId, WorkCalendar? calendar) =>
        JobSchedule.TryCreate(spec, out var schedule, out var error, bindingId.ToString(CultureInfo.InvariantCulture), calendar)
            ? schedule!
            : throw new InvalidOperationException($"The schedule of binding {bindingId} cannot be read: {error}");

    public static IEnumerable<DependencyRow> Dependencies(JobArtifact job) =>
    [
        .. job.Dependencies.Gdp.Select(table => new DependencyRow("gdp", table, job.Dependencies.MaxAge.TryGetValue(table, out var age) ? age : null)),
        .. job.Dependencies.Signals.Select(signal => new DependencyRow("signal", signal, null)),
        .. job.Dependencies.Kpis.Select(kpi => new DependencyRow("kpi", kpi.ToString(), null)),
    ];

    public static IEnumerable<string> Clocks(JobArtifact job)
    {
        if (job.Sla?.Freshness is not null)
            yield return "freshness";
        if (job.Sla?.Latency is not null)
            yield return "latency";
        if (job.Sla?.Availability is not null)
            yield return "availability";
    }
}

internal sealed record DependencyRow(string DepType, string DepValue, TimeSpan? MaxAge);
