using System.Globalization;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Calendars;

/// <summary>Time that counts: a range of the wall clock on the business days of a calendar, <c>09:00-17:00</c> or <c>00:00-24:00</c>.</summary>
/// <remarks>What the clock reads decides: an hour that is skipped is missing from it, one that comes twice is in it twice. Blackouts take nothing away.</remarks>
public sealed class BusinessHours
{
    private readonly WorkCalendar _calendar;
    private readonly ZoneClock _clock;
    private readonly TimeSpan _opens, _closes;

    private BusinessHours(WorkCalendar calendar, ZoneClock clock, (TimeSpan Opens, TimeSpan Closes) hours) =>
        (_calendar, _clock, _opens, _closes) = (calendar, clock, hours.Opens, hours.Closes);

    /// <summary>Null where the text is no such range.</summary>
    internal static BusinessHours? Of(string text, WorkCalendar calendar, ZoneClock clock) => Read(text) is { } hours ? new BusinessHours(calendar, clock, hours) : null;

    /// <summary>Whether a text is a range that opens before it closes.</summary>
    public static bool IsRange(string text) => Read(text) is not null;

    /// <summary>The first instant by which so much time has counted since another one; null where the calendar ends before.</summary>
    public DateTimeOffset? After(DateTimeOffset since, TimeSpan counted)
    {
        foreach (var (from, until) in Stretches(since.UtcDateTime))
        {
            if (counted <= until - from) return new DateTimeOffset(from + counted);
            counted -= until - from;
        }
        return null;
    }

    // Span by span of one offset: within one the clock reads every time once, and in order.
    private IEnumerable<(DateTime From, DateTime Until)> Stretches(DateTime since)
    {
        for (var index = _clock.IndexOf(since); index < _clock.Count; index++)
        {
            var span = _clock[index];
            var first = since > span.Start ? since : span.Start;
            for (var date = (first + span.Offset).Date; date + _opens < span.LocalEnd; date = date.AddDays(1))
            {
                if (!_calendar.IsBusinessDay(DateOnly.FromDateTime(date))) continue;
                var (opens, closes) = (date + _opens - span.Offset, date + _closes - span.Offset);
                var (from, until) = (opens > first ? opens : first, closes < span.End ? closes : span.End);
                if (from < until) yield return (from, until);
            }
        }
    }

    private static (TimeSpan Opens, TimeSpan Closes)? Read(string text) =>
        text.Split('-') is [var from, var to] && Time(from) is { } opens && Time(to) is { } closes && opens < closes ? (opens, closes) : null;

    private static TimeSpan? Time(string text) => text == "24:00" ? TimeSpan.FromHours(24)
        : TimeOnly.TryParseExact(text, "HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out var time) ? time.ToTimeSpan() : null;
}
