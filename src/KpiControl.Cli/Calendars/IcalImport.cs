using System.Globalization;
using System.Text;
using Ical.Net.CalendarComponents;
using Ical.Net.DataTypes;
using Ical.Net.Evaluation;
using KpiControl.Jobs.Calendars;

namespace KpiControl.Cli.Calendars;

/// <summary>What an iCalendar file says of days.</summary>
/// <param name="LeftOut">Events with a time of day, or cancelled.</param>
internal sealed record IcalDays(IReadOnlyList<DatedHoliday> Holidays, int LeftOut);

/// <summary>The all-day events of an iCalendar file (RFC 5545) as holidays, repetitions written out over a range of years.</summary>
internal static class IcalImport
{
    public const int MostBytes = 4 * 1024 * 1024, MostEvents = 5_000, MostYears = 30;
    private const int EarliestYear = 1900;

    /// <exception cref="Refusal">What cannot be read, or is more than a calendar holds.</exception>
    public static IcalDays Read(byte[] file, string name, int firstYear, int lastYear)
    {
        if (file.Length > MostBytes)
            throw new Refusal($"{name} has {file.Length} bytes, at most {MostBytes} are read", "leave out what is no holiday");
        var calendars = Calendars(Encoding.UTF8.GetString(file), name);
        var events = calendars.SelectMany(calendar => calendar.Events).ToList();
        if (events.Count > MostEvents)
            throw new Refusal($"{name} has {events.Count} events, at most {MostEvents} are read", "leave out what is no holiday");
        var days = events.Where(IsDay).ToList();
        days.ForEach(day => DemandBounded(day, name));
        var holidays = calendars.SelectMany(calendar => Days(calendar, name, firstYear, lastYear)).Distinct().OrderBy(day => day.From).ThenBy(day => day.Name, StringComparer.Ordinal).ToList();
        if (holidays.Count > CalendarReader.MostEntries)
            throw new Refusal($"{name} has {holidays.Count} days from {firstYear} to {lastYear}, a calendar holds {CalendarReader.MostEntries}", "import fewer years (--from, --to)");
        return new IcalDays(holidays, events.Count - days.Count);
    }

    private static List<Ical.Net.Calendar> Calendars(string text, string name)
    {
        try
        {
            return Ical.Net.CalendarCollection.Load(text) is { Count: > 0 } calendars ? [.. calendars]
                : throw new Refusal($"{name} holds no VCALENDAR", "give a file that a calendar program exported as iCalendar (.ics)");
        }
        // The library's parser has exceptions of its own, and lets those of what it builds on through: all of them mean a bad file.
        catch (Exception unreadable) when (unreadable is not Refusal and not OutOfMemoryException)
        {
            throw new Refusal($"{name} is not iCalendar: {unreadable.Message}", "give a file that a calendar program exported as iCalendar (.ics)");
        }
    }

    private static bool IsDay(CalendarEvent @event) => @event.Start is { HasTime: false } && @event.Status != "CANCELLED";

    // Each step from the first day on costs time, whatever the years that are asked for.
    private static void DemandBounded(CalendarEvent day, string name)
    {
        if (day.Start!.Date.Year < EarliestYear)
            throw new Refusal($"{name}: '{Title(day)}' begins in {day.Start.Date.Year}, before {EarliestYear}", "give it a later first day");
        if (day.RecurrenceRule?.Frequency is Ical.Net.FrequencyType.Secondly or Ical.Net.FrequencyType.Minutely or Ical.Net.FrequencyType.Hourly)
            throw new Refusal($"{name}: '{Title(day)}' is a whole day and repeats within the day", "give it a FREQ of DAILY or longer");
    }

    // Of a calendar and not of each event: a day of a series that was moved or cancelled stands in an event of its own.
    private static List<DatedHoliday> Days(Ical.Net.Calendar calendar, string name, int firstYear, int lastYear)
    {
        var (first, last) = (new DateOnly(firstYear, 1, 1), new DateOnly(lastYear, 12, 31));
        var found = new List<DatedHoliday>();
        try
        {
            // From a year before: an event of several days may reach into the first.
            foreach (var occurrence in calendar.GetOccurrences<CalendarEvent>(new CalDateTime(first.AddYears(-1)), new EvaluationOptions { MaxUnmatchedIncrementsLimit = 10_000 }))
            {
                if (occurrence.Source is not CalendarEvent day || !IsDay(day))
                    continue;
                var from = occurrence.Period.StartTime.Date;
                if (from > last || found.Count > CalendarReader.MostEntries)
                    break;
                // The end is the first day that is no longer part of it.
                var to = occurrence.Period.EffectiveEndTime is { } end && end.Date > from ? end.Date.AddDays(-1) : from;
                if (to >= first)
                    found.Add(new DatedHoliday(from < first ? first : from, to > last ? last : to, Title(day)));
            }
        }
        catch (Exception unending) when (unending is not Refusal and not OutOfMemoryException)
        {
            throw new Refusal($"{name}: its repetitions cannot be written out: {unending.Message}", "give the days as events of their own");
        }
        return found;
    }

    private static string Title(CalendarEvent @event)
    {
        var text = new string([.. (@event.Summary ?? "").Select(c => char.IsControl(c) ? ' ' : c)]).Trim();
        return text.Length == 0 ? "unnamed" : text.Length <= 200 ? text : text[..200];
    }

    public static string Text(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
