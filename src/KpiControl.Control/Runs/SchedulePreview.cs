using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Authoring;
using KpiControl.Control.Catalog;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Schedules;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Runs;

/// <summary>When a binding, or a schedule that is not stored, would fire next.</summary>
internal sealed class SchedulePreview(Databases databases)
{
    private const int DefaultCount = 5, MostFireTimes = 1000;

    public async Task<PreviewScheduleResponse> PreviewAsync(Caller caller, PreviewScheduleRequest request, CancellationToken token)
    {
        if (request.Count < 0)
            throw Reject.Invalid("count", "is below 0; leave it out for 5, at most 1000");
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        var (schedule, zone, calendar) = request.Expression.Length > 0 ? await UnstoredAsync(tx, request) : await StoredAsync(tx, request);
        var after = request.After?.ToDateTimeOffset() ?? await RunStore.NowAsync(tx);
        var response = new PreviewScheduleResponse
        {
            ZoneVersion = schedule.Schedule.ZoneVersion, SpreadOffset = schedule.Schedule.SpreadOffset > TimeSpan.Zero ? schedule.Schedule.SpreadOffset.ToDuration() : null,
            StartsAt = schedule.Schedule.StartsAt?.ToTimestamp(), EndsAt = schedule.Schedule.EndsAt?.ToTimestamp(), Calendar = calendar?.Name ?? "", CalendarVersion = calendar?.Version ?? 0,
        };
        var count = request.Count == 0 ? DefaultCount : Math.Min(request.Count, MostFireTimes);
        for (var slot = schedule.Schedule.Next(after); slot is { } at && response.FireTimes.Count < count; slot = schedule.Schedule.Next(at))
            response.FireTimes.Add(FireTime(at, schedule, zone));
        if (calendar is not null && response.FireTimes.Count > 0)
            response.Skipped.AddRange(Skipped(schedule.Schedule, after, response.FireTimes[^1].At.ToDateTimeOffset(), zone));
        return response;
    }

    private static IEnumerable<CalendarSkip> Skipped(JobSchedule schedule, DateTimeOffset after, DateTimeOffset until, TimeZoneInfo zone)
    {
        for (var (slot, told) = (schedule.NextExpected(after), 0); slot is { } at && at < until && told < MostFireTimes; slot = schedule.NextExpected(at))
            if (schedule.ExceptionAt(at) is { } exception)
            {
                told++;
                yield return new CalendarSkip { At = at.ToTimestamp(), Local = Local(at, zone), Reason = exception.Reason, Name = exception.Name };
            }
    }

    private static async Task<(BindingSchedule, TimeZoneInfo, Pinned?)> UnstoredAsync(RequestTransaction tx, PreviewScheduleRequest request)
    {
        var calendar = request.Calendar.Length == 0 ? null
            : await Calendars.FindAsync(tx, RequestFields.Tenant(tx.Caller, request.Tenant, Verb.Read), request.Calendar, version: 0);
        if (request.BindingId != 0 || request.JobId.Length > 0)
            throw Reject.Invalid("expression", "stands beside a job: preview a stored job or an expression, not both");
        var timezone = request.Timezone.Length > 0 ? request.Timezone : "UTC";
        var day = request.DayMatch switch
        {
            "" => null,
            "all" => "all",
            _ => throw Reject.Invalid("day_match", "takes all, or is left out"),
        };
        if (!JobSchedule.TryCreate(new JobScheduleSpec { Type = "manual", Timezone = timezone }, out _, out var noZone))
            throw Reject.Invalid("timezone", noZone!);
        var spec = new JobScheduleSpec { Type = "cron", Expression = request.Expression, Timezone = timezone, DayMatch = day, Calendar = calendar?.Name };
        return JobSchedule.TryCreate(spec, out var schedule, out var error, calendar: calendar?.Understand())
            ? (new BindingSchedule(schedule!, "previous"), TimeZoneInfo.FindSystemTimeZoneById(timezone), Pinned.Of(calendar?.Name, calendar?.Version))
            : throw Reject.Invalid("expression", error!);
    }

    private static async Task<(BindingSchedule, TimeZoneInfo, Pinned?)> StoredAsync(RequestTransaction tx, PreviewScheduleRequest request)
    {
        var binding = await BindingLookup.ResolveAsync(tx, new BindingKey(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Read);
        var schedule = BindingSchedule.Create(binding.BindingId, binding.ScheduleCron, binding.Timezone, await RunStore.DefinitionAsync(tx, binding.DefId), binding.CalendarJson, binding.OverridesJson)
            ?? throw Reject.Precondition("SCHEDULE_UNKNOWN", "timezone", $"This node does not know the zone {binding.Timezone}.");
        return (schedule, TimeZoneInfo.FindSystemTimeZoneById(binding.Timezone), Pinned.Of(binding.Calendar, binding.CalendarVersion));
    }

    internal static FireTime FireTime(DateTimeOffset at, BindingSchedule schedule, TimeZoneInfo zone) => new()
    {
        At = Timestamp.FromDateTimeOffset(at),
        Local = Local(at, zone),
        BusinessDate = schedule.BusinessDate(at).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
    };

    private static string Local(DateTimeOffset at, TimeZoneInfo zone) => TimeZoneInfo.ConvertTime(at, zone).ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture);

    private sealed record Pinned(string Name, int Version)
    {
        public static Pinned? Of(string? name, int? version) => name is null ? null : new Pinned(name, version ?? 0);
    }
}
