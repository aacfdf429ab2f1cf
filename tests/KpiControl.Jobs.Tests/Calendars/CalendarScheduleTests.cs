using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Tests.Calendars;

/// <summary>How a calendar acts on a schedule, by example.</summary>
public sealed class CalendarScheduleTests
{
    private const string Days = """
        calendar: days
        holidays: [{ date: 2026-05-01, name: Labour Day }, { date: 2026-05-25, name: Whit Monday }]
        working_days: [{ date: 2026-05-09, name: Stocktaking }]
        fiscal: { pattern: 4-4-5, year_end: { rule: last, weekday: saturday, month: 8 } }
        blackouts: [{ from: 2026-05-13T22:00, to: 2026-05-14T08:00, reason: ERP upgrade }]
        """;

    [Theory]
    [InlineData("0 2 * * *", "2026-04-30 04, 2026-05-04 04, 2026-05-05 04, 2026-05-06 04, 2026-05-07 04, 2026-05-08 04, 2026-05-09 04, 2026-05-11 04")]
    [InlineData("@business_day 1 of month at 06:00", "2026-05-04 06, 2026-06-01 06, 2026-07-01 06")]
    [InlineData("@business_day L-2 of month at 18:00", "2026-05-27 18, 2026-06-26 18, 2026-07-29 18")]
    [InlineData("@business_day L of month at 18:00", "2026-04-30 18, 2026-05-29 18")]
    [InlineData("@business_day 3 after fiscal_period at 09:00", "2026-06-03 09, 2026-07-01 09, 2026-07-29 09, 2026-09-02 09")]
    [InlineData("@Business_Day 2 AFTER quarter at 21:30, 07:00", "2026-07-02 07, 2026-07-02 21")]
    [InlineData("@business_day 25 of month at 06:00", "")]
    public void Slots_are_on_business_days(string expression, string local)
    {
        var schedule = Schedule(expression.Replace("0 2 *", "0 4 *", StringComparison.Ordinal));
        var zone = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");
        var count = local.Length == 0 ? 1 : local.Split(", ").Length;
        Assert.Equal(local, string.Join(", ", schedule.Slots(At("2026-04-29T12:00Z"), At("2099-01-01")).Take(count).Select(slot => $"{TimeZoneInfo.ConvertTime(slot, zone):yyyy-MM-dd HH}")));
    }

    [Fact]
    public void A_holiday_and_a_blackout_take_a_slot_away_and_say_so_and_a_weekend_has_none()
    {
        var schedule = Schedule("0 4 * * *");
        Assert.Equal(new CalendarException("holiday", "Labour Day"), schedule.ExceptionAt(At("2026-05-01T02:00Z")));
        Assert.True(schedule.IsExpected(At("2026-05-01T02:00Z")));
        Assert.False(schedule.IsSlot(At("2026-05-01T02:00Z")));
        Assert.Equal(new CalendarException("blackout", "ERP upgrade"), schedule.ExceptionAt(At("2026-05-14T02:00Z")));
        Assert.False(schedule.IsExpected(At("2026-05-02T02:00Z")));
        Assert.Equal(DayKind.Weekend, schedule.DayOffAt(At("2026-05-02T02:00Z"))?.Kind);
        Assert.Null(schedule.DayOffAt(At("2026-05-02T03:00Z")));
        // Of a Tuesday the window reaches back over Whit Monday and the weekend.
        Assert.Equal(At("2026-05-22T02:00Z"), schedule.Previous(At("2026-05-26T02:00Z")));
    }

    [Fact]
    public void A_spread_moves_a_slot_and_not_its_day_and_a_blackout_asks_about_the_moved_one()
    {
        var calendar = CalendarReaderTests.Read("calendar: c\nblackouts: [{ from: 2026-05-05T23:00, to: 2026-05-05T23:01, reason: r }]");
        var spec = new JobScheduleSpec { Type = "cron", Expression = "0 23 * * *", Calendar = "c", Spread = TimeSpan.FromHours(3) };
        Assert.True(JobSchedule.TryCreate(spec, out var schedule, out _, "late", calendar));
        Assert.True(schedule!.SpreadOffset > TimeSpan.FromHours(1), "this identity's place is past midnight");
        var friday = At("2026-05-08T23:00Z") + schedule.SpreadOffset;
        Assert.Equal(friday, schedule.Next(At("2026-05-08T23:00Z")));
        Assert.Equal(At("2026-05-11T23:00Z") + schedule.SpreadOffset, schedule.Next(friday));
        Assert.True(schedule.IsSlot(At("2026-05-05T23:00Z") + schedule.SpreadOffset));
    }

    [Fact]
    public void Without_its_calendar_at_hand_a_schedule_is_refused()
    {
        Assert.False(JobSchedule.TryCreate(new JobScheduleSpec { Type = "cron", Expression = "0 2 * * *", Calendar = "target" }, out _, out var error));
        Assert.Equal("the calendar target is not at hand", error);
    }

    [Theory]
    [InlineData("@business_day 3 after fiscal_period", "is not a business-day expression")]
    [InlineData("@business_day 0 of month at 09:00", "counts from 1 to 300")]
    [InlineData("@business_day L-2 after month at 09:00", "L goes with of")]
    [InlineData("@business_day 1 of month at 25:00", "has a time of day that is none")]
    [InlineData("@business_day 1 of fortnight at 09:00", "is not a business-day expression")]
    [InlineData("@business_day 1 of month at 09:00 ", null)]
    public void A_rule_is_written_in_one_way(string expression, string? error)
    {
        JobSchedule.TryCreate(new JobScheduleSpec { Type = "cron", Expression = expression, Calendar = "c" }, out _, out var said, calendar: CalendarReaderTests.Read("calendar: c"));
        if (error is null) Assert.Null(said);
        else Assert.Contains(error, said, StringComparison.Ordinal);
    }

    [Fact]
    public void A_rule_needs_a_calendar_and_one_of_fiscal_periods_a_calendar_that_has_them()
    {
        Assert.False(JobSchedule.TryCreate(new JobScheduleSpec { Type = "cron", Expression = "@business_day 1 of month at 09:00" }, out _, out var none));
        Assert.Contains("names no calendar", none, StringComparison.Ordinal);
        var spec = new JobScheduleSpec { Type = "cron", Expression = "@business_day 1 after fiscal_year at 09:00", Calendar = "c" };
        Assert.False(JobSchedule.TryCreate(spec, out _, out var plain, calendar: CalendarReaderTests.Read("calendar: c")));
        Assert.Contains("the calendar c has none (fiscal)", plain, StringComparison.Ordinal);
    }

    [Fact]
    public void A_job_is_checked_against_its_calendar()
    {
        const string Text = """
            job_id: j
            tenant: acme
            kpi_id: K-1
            contract_version: 1.0.0
            schedule: { type: cron, expression: "0 9 * * SUN", calendar: targte }
            """;
        var job = ArtifactReader.Read(Text, ArtifactFormat.Yaml).Job!;
        var unknown = Assert.Single(CalendarCheck.Check(job, null, ["target", "us"]));
        Assert.Equal(("meaning.calendar", "/schedule/calendar", "There is no calendar targte.", "Did you mean target?"), (unknown.Rule, unknown.Path, unknown.Message, unknown.Hint));
        var never = Assert.Single(CalendarCheck.Check(job, CalendarReaderTests.Read("calendar: targte"), []));
        Assert.Contains("never comes round", never.Message, StringComparison.Ordinal);
        Assert.Empty(CalendarCheck.Check(job, CalendarReaderTests.Read("calendar: targte\nweekend: [friday]"), []));
    }

    private static JobSchedule Schedule(string expression) => CalendarOracleTests.Schedule(expression, "Europe/Berlin", Days);

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.AssumeUniversal);
}
