using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;

namespace KpiControl.Jobs.Tests.Calendars;

/// <summary>A calendar's text: what it means, what is wrong with it, and when two are the same.</summary>
public sealed class CalendarReaderTests
{
    private const string Target = """
        calendar: target
        description: Closing days of TARGET
        holidays:
          - { every: 01-01, name: New Year's Day }
          - { easter: -2, name: Good Friday }
          - { easter: 1, name: Easter Monday }
          - { every: 05-01, name: Labour Day }
          - { every: 12-25, name: Christmas Day }
          - { every: 12-26, name: Second Day of Christmas }
        """;

    private static readonly string[] FallenDays = ["2024-03-29", "2024-04-01", "2025-04-18", "2025-04-21", "2026-04-03", "2026-04-06", "2027-03-26", "2027-03-29"];

    [Fact]
    public void The_closing_days_of_target_are_those_that_the_bank_published()
    {
        var calendar = Read(Target);
        Assert.All(FallenDays, day => Assert.Equal(DayKind.Holiday, calendar.Of(DateOnly.Parse(day, System.Globalization.CultureInfo.InvariantCulture)).Kind));
        // 1 May 2027 and 26 December 2027 are on a weekend: what is left of the year.
        Assert.Equal(["2027-01-01", "2027-03-26", "2027-03-29"], Enumerable.Range(0, 365).Select(d => new DateOnly(2027, 1, 1).AddDays(d))
            .Where(day => calendar.Of(day).Kind == DayKind.Holiday).Select(day => day.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture)));
        Assert.Equal(new CalendarDay(new DateOnly(2027, 5, 1), DayKind.Weekend, "Labour Day"), calendar.Of(new DateOnly(2027, 5, 1)));
    }

    /// <summary>From the table of the Astronomisch-Physikalisches Kabinett; the earliest and the latest that are possible are among them.</summary>
    [Theory]
    [InlineData(1970, 3, 29)]
    [InlineData(1981, 4, 19)]
    [InlineData(2000, 4, 23)]
    [InlineData(2008, 3, 23)]
    [InlineData(2011, 4, 24)]
    [InlineData(2019, 4, 21)]
    [InlineData(2038, 4, 25)]
    [InlineData(2049, 4, 18)]
    [InlineData(2076, 4, 19)]
    [InlineData(2100, 3, 28)]
    public void Easter_is_on_its_day(int year, int month, int day) => Assert.Equal(new DateOnly(year, month, day), EasterHoliday.Sunday(year));

    [Theory]
    [InlineData("{ weekday: monday, nth: 1, month: 5, name: Early May }", "2026-05-04")]
    [InlineData("{ weekday: monday, nth: -1, month: 8, name: Summer }", "2026-08-31")]
    [InlineData("{ weekday: thursday, nth: 4, month: 11, name: Thanksgiving }", "2026-11-26")]
    [InlineData("{ from: 2026-12-28, to: 2026-12-30, name: Between }", "2026-12-28 2026-12-29 2026-12-30")]
    [InlineData("{ every: 02-29, name: Leap }", "")]
    public void An_entry_is_about_its_days(string entry, string days)
    {
        var calendar = Read($"calendar: c\nweekend: []\nholidays: [{entry}]");
        Assert.Equal(days, string.Join(' ', Enumerable.Range(0, 365).Select(d => new DateOnly(2026, 1, 1).AddDays(d)).Where(d => !calendar.IsBusinessDay(d)).Select(d => $"{d:yyyy-MM-dd}")));
    }

    [Fact]
    public void How_it_is_written_does_not_change_what_it_is()
    {
        var digest = Digest(Target);
        Assert.Equal("sha256:", digest[..7]);
        Assert.Equal(digest, Digest(Target + "\n# a comment\nweekend: [sunday, saturday]\nworking_days: []\nblackouts: []\n"));
        Assert.Equal(digest, Digest(Target.Replace("  - { easter: -2, name: Good Friday }\n", "", StringComparison.Ordinal) + "\n  - { name: Good Friday, easter: -2 }\n  - { name: Good Friday, easter: -2 }\n"));
        var reading = CalendarReader.Read(Target, ArtifactFormat.Yaml);
        Assert.Equal(reading.CanonicalJson, CalendarReader.Read(reading.CanonicalJson!, ArtifactFormat.Json).CanonicalJson);
        Assert.NotEqual(digest, Digest(Target.Replace("easter: 1,", "easter: 2,", StringComparison.Ordinal)));
        Assert.NotEqual(digest, Digest(Target + "\nx-owner: treasury\n"));
    }

    [Fact]
    public void Everything_that_it_can_say_survives_its_canonical_form()
    {
        const string Whole = """
            calendar: whole
            weekend: [friday, saturday]
            holidays: [{ weekday: monday, nth: -1, month: 5, name: A }, { from: 2026-01-01, to: 2026-01-03, name: B }, { easter: 39, name: C }, { every: 12-24, name: D }]
            working_days: [{ date: 2026-02-14, name: E }]
            fiscal: { pattern: 4-5-4, year_end: { rule: nearest, weekday: saturday, month: 1 } }
            blackouts: [{ from: 2026-12-31T18:00, to: 2027-01-01T06:00, reason: F }, { from: "2026-06-01T00:00:00+02:00", to: "2026-06-01T04:00Z", reason: G }]
            """;
        var canonical = CalendarReader.Read(Whole, ArtifactFormat.Yaml).CanonicalJson!;
        Assert.Equal("""
            {"blackouts":[{"from":"2026-06-01T00:00:00+02:00","reason":"G","to":"2026-06-01T04:00Z"},{"from":"2026-12-31T18:00","reason":"F","to":"2027-01-01T06:00"}],"calendar":"whole","fiscal":{"pattern":"4-5-4","year_end":{"month":1,"rule":"nearest","weekday":"saturday"}},"holidays":[{"easter":39,"name":"C"},{"every":"12-24","name":"D"},{"from":"2026-01-01","name":"B","to":"2026-01-03"},{"month":5,"name":"A","nth":-1,"weekday":"monday"}],"weekend":["friday","saturday"],"working_days":[{"date":"2026-02-14","name":"E"}]}
            """, canonical);
        Assert.Equal(canonical, CalendarReader.Read(canonical, ArtifactFormat.Json).CanonicalJson);
    }

    [Fact]
    public void Everything_that_is_wrong_is_said_at_once_with_its_place()
    {
        const string Wrong = """
            calendar: Target Days
            weekend: [saturday, someday]
            holidays:
              - { date: 2026-02-30, name: No day }
              - { date: 2026-01-01, every: 01-01, name: Two ways }
              - { from: 2026-01-05, to: 2026-01-01, name: Backwards }
              - { easter: 1 }
              - { weekday: monday, nth: 5, month: 5, name: Fifth }
            fiscal: { pattern: 4-4-4, year_end: {} }
            blackouts:
              - { from: 2026-01-01T00:00, to: 2026-01-01T00:00Z, reason: mixed }
              - { from: noon, to: 2026-01-02T00:00, reason: no time }
            holiday: []
            """;
        Assert.Equal(
            [
                "calendar.name /calendar 1:11", "calendar.word /weekend/1 2:21", "calendar.date /holidays/0/date 4:13", "calendar.entry /holidays/1 5:5", "calendar.range /holidays/2/to 6:29",
                "calendar.required /holidays/3/name 7:5", "calendar.number /holidays/4/nth 8:29", "calendar.word /fiscal/pattern 9:20", "calendar.time /blackouts/0/to 11:35", "calendar.time /blackouts/1/from 12:13",
                "calendar.unknown_field /holiday 13:10",
            ],
            CalendarReader.Read(Wrong, ArtifactFormat.Yaml).Findings.Select(f => $"{f.Rule} {f.Path} {f.Line}:{f.Column}"));
    }

    [Theory]
    [InlineData("weekend: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]", "calendar.weekend")]
    [InlineData("holidays: [{ from: 2026-01-01, to: 2028-01-01, name: Ever }]", "calendar.range")]
    [InlineData("fiscal: { pattern: month, close: 1.5 }", "calendar.number")]
    [InlineData("blackouts: [{ from: 2026-01-02T00:00, to: 2026-01-01T00:00, reason: r }]", "calendar.range")]
    [InlineData("holidays: none", "calendar.type")]
    [InlineData("a: &x 1\nb: *x", "syntax.anchor")]
    public void What_would_have_no_meaning_is_refused(string lines, string rule) =>
        Assert.Contains(rule, CalendarReader.Read("calendar: c\n" + lines, ArtifactFormat.Yaml).Findings.Select(f => f.Rule));

    [Fact]
    public void Too_many_entries_and_too_much_text_are_refused()
    {
        var many = "calendar: c\nholidays:\n" + string.Concat(Enumerable.Repeat("- { every: 01-01, name: N }\n", CalendarReader.MostEntries + 1));
        Assert.Contains("calendar.limit", CalendarReader.Read(many, ArtifactFormat.Yaml).Findings.Select(f => f.Rule));
        Assert.Contains(CalendarReader.Read("calendar: c\n#" + new string('x', ArtifactLimits.MaxBytes), ArtifactFormat.Yaml).Findings, f => f.Rule.StartsWith("limits.", StringComparison.Ordinal));
    }

    [Fact]
    public void Of_many_names_of_one_day_the_first_are_kept_and_that_there_are_more()
    {
        var entries = string.Concat(Enumerable.Range(1, 400).Select(i => $"  - {{ date: 2026-05-01, name: Feast number {i} of the year }}\n"));

        var name = Read($"calendar: crowded\nholidays:\n{entries}").Of(new DateOnly(2026, 5, 1)).Name!;

        Assert.StartsWith("Feast number 1 of the year, Feast number 2 of the year, ", name, StringComparison.Ordinal);
        Assert.EndsWith(", …", name, StringComparison.Ordinal);
        Assert.InRange(name.Length, 150, 203);
    }

    internal static WorkCalendar Read(string text)
    {
        var reading = CalendarReader.Read(text, ArtifactFormat.Yaml);
        Assert.Empty(reading.Findings);
        return reading.Calendar!;
    }

    private static string Digest(string text)
    {
        var reading = CalendarReader.Read(text, ArtifactFormat.Yaml);
        Assert.Empty(reading.Findings);
        return reading.Digest!;
    }
}
