using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;

namespace KpiControl.Jobs.Schedules;

/// <summary>What an expression of type cron says: cron, or a rule of business days.</summary>
internal static class ScheduleSource
{
    public static ISlotSource? Of(JobScheduleSpec spec, ZoneClock clock, string identity, WorkCalendar? calendar, out string? error)
    {
        error = spec.Calendar is not null && calendar is null ? $"the calendar {spec.Calendar} is not at hand" : null;
        if (error is not null) return null;
        return BusinessDayExpression.IsMeant(spec.Expression) ? OfBusinessDays(spec, clock, calendar, out error) : OfCron(spec.Expression, clock, identity, out error);
    }

    private static WallClockCron? OfCron(string expression, ZoneClock clock, string identity, out string? error) =>
        CronText.Parse(expression, identity, out error) is { } cron ? new WallClockCron(cron, CronText.IsInterval(expression), clock) : null;

    private static FixedSlots? OfBusinessDays(JobScheduleSpec spec, ZoneClock clock, WorkCalendar? calendar, out string? error)
    {
        if (BusinessDayExpression.Parse(spec.Expression, out error) is not { } expression) return null;
        if (spec.Calendar is null || calendar is null)
            error = $"'{spec.Expression}' counts business days, and the schedule names no calendar";
        else if (expression.NeedsFiscalYear && calendar.Fiscal is null)
            error = $"'{spec.Expression}' counts from fiscal periods, and the calendar {calendar.Name} has none (fiscal)";
        return error is null ? expression.Slots(calendar!, clock) : null;
    }
}
