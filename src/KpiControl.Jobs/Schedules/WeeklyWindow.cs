using System.Globalization;

namespace KpiControl.Jobs.Schedules;

/// <summary>A range of a zone's wall clock on some days of the week: <c>mon-fri 09:00-16:00 Europe/Berlin</c>. One that ends at or before its start ends on the next day.</summary>
/// <remarks>What the clock reads decides: an hour that is skipped is missing from the window, and one that comes twice is in it twice.</remarks>
public sealed class WeeklyWindow
{
    private static readonly string[] Names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

    // A window of one day whose range a change of the clock swallows opens a week later.
    private static readonly TimeSpan Ahead = TimeSpan.FromDays(15);

    private readonly bool[] _days;
    private readonly TimeSpan _from, _to;
    private readonly ZoneClock _clock;

    private WeeklyWindow(bool[] days, TimeSpan from, TimeSpan to, ZoneClock clock) => (_days, _from, _to, _clock) = (days, from, to, clock);

    /// <param name="days"><c>mon</c> to <c>sun</c>: those on which it begins. Empty: every day.</param>
    /// <param name="from">As in <c>09:00</c>.</param>
    /// <param name="to">As in <c>16:00</c>, not included; <c>24:00</c> is the day's end.</param>
    /// <param name="timezone">IANA.</param>
    /// <param name="mistake">Which part is wrong, and what is wrong with it.</param>
    /// <returns>Null with a mistake.</returns>
    public static WeeklyWindow? Read(IReadOnlyCollection<string> days, string from, string to, string timezone, out (string Part, string Message) mistake)
    {
        mistake = default;
        var begins = new bool[7];
        foreach (var day in days)
        {
            var index = Array.IndexOf(Names, day);
            if (index < 0)
            {
                mistake = ("days", $"'{day}' is none of mon, tue, wed, thu, fri, sat, sun");
                return null;
            }
            begins[index] = true;
        }
        if (days.Count == 0)
            Array.Fill(begins, true);
        if (TimeOfDay(from, TimeSpan.FromHours(24) - TimeSpan.FromMinutes(1)) is not { } start)
            mistake = ("from", $"'{from}' is not a time of day like 09:00");
        else if (TimeOfDay(to, TimeSpan.FromHours(24)) is not { } end)
            mistake = ("to", $"'{to}' is not a time of day like 16:00, or 24:00");
        else if (start == end)
            mistake = ("to", "is where it begins; the whole day is 00:00 to 24:00");
        else if (ZoneDatabase.Find(timezone, out var unknown) is { } zone)
            return new WeeklyWindow(begins, start, end > start ? end : end + TimeSpan.FromDays(1), ZoneClock.Of(zone));
        else
            mistake = ("timezone", unknown!);
        return null;
    }

    /// <summary>The first instant from a given one on that lies inside; the given one itself where it does. Null: none within two weeks.</summary>
    public DateTimeOffset? FirstInside(DateTimeOffset instant)
    {
        var (utc, last) = (instant.UtcDateTime, instant.UtcDateTime + Ahead);
        for (var index = _clock.IndexOf(utc); index < _clock.Count && _clock[index].Start < last; index++)
            if (FirstInside(_clock[index], utc, last) is { } found)
                return new DateTimeOffset(DateTime.SpecifyKind(found, DateTimeKind.Utc));
        return null;
    }

    private DateTime? FirstInside(ZoneSpan span, DateTime from, DateTime last)
    {
        var earliest = from > span.Start ? from : span.Start;
        var end = last < span.End ? last : span.End;
        // One that began yesterday may not have ended yet.
        for (var date = (earliest + span.Offset).Date.AddDays(-1); date < end + span.Offset; date = date.AddDays(1))
        {
            if (!_days[(int)date.DayOfWeek])
                continue;
            var (opens, closes) = (date + _from - span.Offset, date + _to - span.Offset);
            var first = opens > earliest ? opens : earliest;
            if (first < closes && first < end)
                return first;
        }
        return null;
    }

    private static TimeSpan? TimeOfDay(string text, TimeSpan most) =>
        text.Length == 5 && text[2] == ':' && int.TryParse(text.AsSpan(0, 2), NumberStyles.None, CultureInfo.InvariantCulture, out var hours)
            && int.TryParse(text.AsSpan(3, 2), NumberStyles.None, CultureInfo.InvariantCulture, out var minutes) && minutes < 60
            && new TimeSpan(hours, minutes, 0) is var time && time <= most
            ? time : null;
}
