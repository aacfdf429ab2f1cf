using System.Globalization;
using NodaTime;
using NodaTime.TimeZones;

namespace KpiControl.Jobs.Tests.Schedules;

/// <summary>
/// What a cron expression means, written a second time: parsed here and not by the product's library, placed on NodaTime's zones
/// and not on the platform's. Slow and plain: every date, every hour, every minute, every second that matches.
/// </summary>
internal sealed class CronOracle
{
    private static readonly string[] Months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    private static readonly string[] Weekdays = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

    private readonly IReadOnlyList<int> _seconds, _minutes, _hours;
    private readonly Func<LocalDate, bool> _matches;
    private readonly bool _interval;

    public CronOracle(string text)
    {
        var fields = Unfold(text).Split(' ');
        if (fields.Length == 5) fields = ["0", .. fields];
        _seconds = Values(fields[0], 0, 59, []);
        _minutes = Values(fields[1], 0, 59, []);
        _hours = Values(fields[2], 0, 23, []);
        var months = Values(fields[4], 1, 12, Months).ToHashSet();
        var (day, weekday) = (Day(fields[3]), Weekday(fields[5]));
        _matches = date => months.Contains(date.Month) && day(date) && weekday(date);
        _interval = fields[..3].Any(field => field.IndexOfAny(['*', '/', '-']) >= 0);
    }

    /// <summary>The slots in (from, to].</summary>
    public List<DateTimeOffset> Slots(DateTimeZone zone, Instant from, Instant to)
    {
        var slots = new SortedSet<Instant>();
        var last = to.InZone(zone).Date.PlusDays(2);
        for (var date = from.InZone(zone).Date.PlusDays(-2); date <= last; date = date.PlusDays(1))
            if (_matches(date))
                foreach (var hour in _hours)
                    foreach (var minute in _minutes)
                        foreach (var second in _seconds)
                            Place(zone.MapLocal(date.At(new LocalTime(hour, minute, second))), slots);
        return [.. slots.Where(slot => slot > from && slot <= to).Select(slot => slot.ToDateTimeOffset())];
    }

    // A time that does not exist is the first instant that does; one that exists twice is the first, of an interval both.
    private void Place(ZoneLocalMapping mapping, SortedSet<Instant> slots)
    {
        slots.Add(mapping.Count == 0 ? mapping.EarlyInterval.End : mapping.First().ToInstant());
        if (mapping.Count == 2 && _interval) slots.Add(mapping.Last().ToInstant());
    }

    private static string Unfold(string text) => text.ToUpperInvariant() switch
    {
        "@YEARLY" or "@ANNUALLY" => "0 0 1 1 *",
        "@MONTHLY" => "0 0 1 * *",
        "@WEEKLY" => "0 0 * * 0",
        "@DAILY" or "@MIDNIGHT" => "0 0 * * *",
        "@HOURLY" => "0 * * * *",
        var written => written,
    };

    private static Func<LocalDate, bool> Day(string field)
    {
        if (field is "*" or "?") return _ => true;
        if (field.EndsWith('W')) return date => date.Day == NearestWeekday(date, field[..^1]);
        if (field.StartsWith('L')) return date => date.Day == FromEnd(date, field);
        var days = Values(field, 1, 31, []).ToHashSet();
        return date => days.Contains(date.Day);
    }

    private static int FromEnd(LocalDate date, string field) => LastDay(date) - (field.Length > 1 ? Number(field[2..]) : 0);

    private static int LastDay(LocalDate date) => date.Calendar.GetDaysInMonth(date.Year, date.Month);

    private static int NearestWeekday(LocalDate date, string wanted)
    {
        var day = wanted.StartsWith('L') ? FromEnd(date, wanted) : Number(wanted);
        if (day < 1 || day > LastDay(date)) return 0;
        return new LocalDate(date.Year, date.Month, day).DayOfWeek switch
        {
            IsoDayOfWeek.Saturday => day == 1 ? 3 : day - 1,
            IsoDayOfWeek.Sunday => day == LastDay(date) ? day - 2 : day + 1,
            _ => day,
        };
    }

    private static Func<LocalDate, bool> Weekday(string field)
    {
        if (field is "*" or "?") return _ => true;
        if (field.Split('#') is [var nth, var count]) return date => Is(date, nth) && ((date.Day - 1) / 7) + 1 == Number(count);
        if (field.Length > 1 && field.EndsWith('L')) return date => Is(date, field[..^1]) && date.Day > LastDay(date) - 7;
        var days = Values(field, 0, 7, Weekdays).Select(day => day % 7).ToHashSet();
        return date => days.Contains((int)date.DayOfWeek % 7);
    }

    private static bool Is(LocalDate date, string weekday) => (int)date.DayOfWeek % 7 == Value(weekday, 0, Weekdays) % 7;

    private static List<int> Values(string field, int lowest, int highest, string[] names) =>
        [.. field.Split(',').SelectMany(part => Part(part, lowest, highest, names)).Distinct().Order()];

    private static IEnumerable<int> Part(string part, int lowest, int highest, string[] names)
    {
        var (range, step) = part.Split('/') is [var before, var by] ? (before, Number(by)) : (part, 1);
        var (first, last) = range.Split('-') switch
        {
            [var from, var to] => (Value(from, lowest, names), Value(to, lowest, names)),
            ["*"] => (lowest, highest),
            [var one] => (Value(one, lowest, names), part.Contains('/', StringComparison.Ordinal) ? highest : Value(one, lowest, names)),
            _ => throw new FormatException(part),
        };
        var size = highest - lowest + 1;
        for (var value = first; value <= (last < first ? last + size : last); value += step)
            yield return lowest + ((value - lowest) % size);
    }

    private static int Value(string text, int lowest, string[] names) =>
        Array.IndexOf(names, text) is >= 0 and var named ? named + lowest : Number(text);

    private static int Number(string text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
}
