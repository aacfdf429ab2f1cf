using System.Globalization;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Schedules;

/// <summary>The first and the last instant at which a schedule may have a slot, both included.</summary>
internal readonly record struct ScheduleBounds(DateTime From, DateTime Until)
{
    private static readonly string[] Local = ["yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm:ss"];
    private static readonly string[] Exact = ["yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ssK"];

    public static readonly ScheduleBounds None = new(DateTime.MinValue, DateTime.MaxValue);

    /// <summary>A day alone is the whole of it: from its beginning, until its end. A time without an offset is the schedule's zone's.</summary>
    public static ScheduleBounds? Of(JobScheduleSpec spec, ZoneClock clock, out string? error)
    {
        DateTime? from = null, until = null;
        error = null;
        if (spec.StartAt is { } start && (from = Begin(start, clock)) is null)
            error = $"'{start}' is no day or instant: start_at takes 2026-01-31, 2026-01-31T09:00 or 2026-01-31T09:00:00Z";
        else if (spec.EndAt is { } end && (until = End(end, clock)) is null)
            error = $"'{end}' is no day or instant: end_at takes 2026-01-31, 2026-01-31T09:00 or 2026-01-31T09:00:00Z";
        else if (from > until)
            error = $"end_at ({spec.EndAt}) lies before start_at ({spec.StartAt})";
        return error is null ? new ScheduleBounds(from ?? None.From, until ?? None.Until) : null;
    }

    private static DateTime? Begin(string text, ZoneClock clock) =>
        Day(text) is { } day ? clock.InstantOf(day.ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc)) : Instant(text, clock);

    // Slots stand at whole seconds: the last before the next day's first instant belongs to the day.
    private static DateTime? End(string text, ZoneClock clock) => Day(text) is { } day ? clock.EndOf(day).AddSeconds(-1) : Instant(text, clock);

    private static DateOnly? Day(string text) =>
        DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day) ? day : null;

    private static DateTime? Instant(string text, ZoneClock clock)
    {
        if (DateTime.TryParseExact(text, Local, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var local))
            return clock.InstantOf(local);
        return DateTimeOffset.TryParseExact(text, Exact, CultureInfo.InvariantCulture, DateTimeStyles.None, out var exact) ? exact.UtcDateTime : null;
    }
}
