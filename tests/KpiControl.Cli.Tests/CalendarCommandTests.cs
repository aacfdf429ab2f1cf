using KpiControl.Cli.Tests.Support;

namespace KpiControl.Cli.Tests;

/// <summary>Calendars without a control plane: their files, those of other programs, and what they make of a schedule.</summary>
public sealed class CalendarCommandTests
{
    private const string Ical = """
        BEGIN:VCALENDAR
        VERSION:2.0
        PRODID:-//test//EN
        BEGIN:VEVENT
        UID:1
        DTSTAMP:20260101T000000Z
        DTSTART;VALUE=DATE:20200501
        RRULE:FREQ=YEARLY
        EXDATE;VALUE=DATE:20270501
        SUMMARY:Labour Day
        END:VEVENT
        BEGIN:VEVENT
        UID:2
        DTSTAMP:20260101T000000Z
        DTSTART;VALUE=DATE:20261224
        DTEND;VALUE=DATE:20261227
        SUMMARY:Christmas
        END:VEVENT
        BEGIN:VEVENT
        UID:3
        DTSTAMP:20260101T000000Z
        DTSTART:20260310T090000Z
        SUMMARY:A meeting
        END:VEVENT
        BEGIN:VEVENT
        UID:4
        DTSTAMP:20260101T000000Z
        DTSTART;VALUE=DATE:20260601
        STATUS:CANCELLED
        SUMMARY:Called off
        END:VEVENT
        END:VCALENDAR
        """;

    [Fact]
    public async Task Whole_days_of_an_icalendar_file_become_holidays_and_the_rest_is_counted()
    {
        using var kpictl = new CommandLine();
        var result = await kpictl.Run("calendars", "import", kpictl.File("works.ics", Ical), "--name", "works", "--from", "2026", "--to", "2028");
        Assert.Equal((0, "3 holidays from 2026 to 2028; 2 events left out: they have a time of day or are cancelled\n"), (result.Exit, result.Error));
        Assert.Equal("""
            calendar: works
            description: Imported from works.ics, 2026 to 2028
            holidays:
              - date: 2026-05-01
                name: Labour Day
              - from: 2026-12-24
                to: 2026-12-26
                name: Christmas
              - date: 2028-05-01
                name: Labour Day

            """, result.Out);
        Assert.Equal((0, "1 file: 0 errors, 0 warnings\n"), await kpictl.Run("validate", kpictl.File("works.yaml", result.Out)) is var valid ? (valid.Exit, valid.Error) : default);
    }

    [Fact]
    public async Task A_day_of_a_series_that_was_moved_stands_where_it_went_and_one_that_was_called_off_nowhere()
    {
        const string Series = """
            BEGIN:VCALENDAR
            VERSION:2.0
            PRODID:-//test//EN
            BEGIN:VEVENT
            UID:1
            DTSTART;VALUE=DATE:20250501
            RRULE:FREQ=YEARLY
            SUMMARY:Works outing
            END:VEVENT
            BEGIN:VEVENT
            UID:1
            RECURRENCE-ID;VALUE=DATE:20260501
            DTSTART;VALUE=DATE:20260508
            SUMMARY:Works outing, a week late
            END:VEVENT
            BEGIN:VEVENT
            UID:1
            RECURRENCE-ID;VALUE=DATE:20270501
            DTSTART;VALUE=DATE:20270501
            STATUS:CANCELLED
            SUMMARY:Works outing
            END:VEVENT
            END:VCALENDAR
            """;
        using var kpictl = new CommandLine();
        var result = await kpictl.Run("calendars", "import", kpictl.File("outing.ics", Series), "--name", "outing", "--from", "2026", "--to", "2028");
        Assert.Equal(["2026-05-08 Works outing, a week late", "2028-05-01 Works outing"],
            System.Text.RegularExpressions.Regex.Matches(result.Out, "date: (.*)\n +name: (.*)\n").Select(day => $"{day.Groups[1].Value} {day.Groups[2].Value}"));
    }

    [Theory]
    [InlineData("BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:00010101\nRRULE:FREQ=DAILY\nSUMMARY:Old\nEND:VEVENT\nEND:VCALENDAR", "before 1900")]
    [InlineData("BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20250101\nRRULE:FREQ=SECONDLY\nSUMMARY:Often\nEND:VEVENT\nEND:VCALENDAR", "repeats within the day")]
    [InlineData("junk", "is not iCalendar")]
    [InlineData("BEGIN:VCALENDAR\nEND:VCALENDAR", "has no all-day event from 2026 to 2035")]
    [InlineData("BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20200101\nRRULE:FREQ=DAILY\nSUMMARY:Every day\nEND:VEVENT\nEND:VCALENDAR", "a calendar holds 2000")]
    public async Task What_is_no_calendar_or_too_much_of_one_is_refused(string text, string words)
    {
        using var kpictl = new CommandLine();
        var result = await kpictl.Run("calendars", "import", kpictl.File("bad.ics", text), "--name", "bad", "--from", "2026", "--to", "2035");
        Assert.NotEqual(0, result.Exit);
        Assert.Contains(words, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_job_is_checked_by_the_calendar_that_is_among_the_files()
    {
        using var kpictl = new CommandLine();
        var calendar = kpictl.File("days.yaml", "calendar: days\n");
        var job = kpictl.File("job.yaml", OfflineTests.Artifact.Replace("\"0 2 * * *\"", "\"0 2 * * SUN\"\n  calendar: days", StringComparison.Ordinal));
        Assert.Equal(0, (await kpictl.Run("validate", job)).Exit);
        var both = await kpictl.Run("validate", calendar, job);
        Assert.Equal(1, both.Exit);
        Assert.Contains("job.yaml:7:15: error meaning.calendar: On the calendar days this expression never comes round", both.Out, StringComparison.Ordinal);
        var broken = await kpictl.Run("validate", kpictl.File("broken.yaml", "calendar: days\nholidays: [{ date: 2026-02-30, name: X }]\n"));
        Assert.Contains("broken.yaml:2:20: error calendar.date:", broken.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_schedule_on_a_calendars_file_is_previewed()
    {
        using var kpictl = new CommandLine();
        var calendar = kpictl.File("days.yaml", "calendar: days\nholidays: [{ date: 2026-05-01, name: Labour Day }]\n");
        var result = await kpictl.Run("preview", "--cron", "@business_day 1 of month at 06:00", "--calendar", calendar, "--timezone", "Europe/Berlin", "--after", "2026-04-15", "-n", "2", "-o", "name");
        Assert.Equal("2026-05-04 04:00:00Z\n2026-06-01 04:00:00Z\n", result.Out);
        var days = await kpictl.Run("calendars", "preview", calendar, "--from", "2026-04-01", "--days", "61");
        Assert.Contains("2026-05-01  Fri      holiday  Labour Day", days.Out, StringComparison.Ordinal);
        Assert.Equal("42 business days in 61 days from 2026-04-01\n", days.Error);
    }
}
