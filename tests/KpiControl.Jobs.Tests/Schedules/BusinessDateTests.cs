using CsCheck;

namespace KpiControl.Jobs.Tests.Schedules;

public sealed class BusinessDateTests
{
    private static DateTimeOffset At(string instant) => JobScheduleTests.At(instant);

    [Theory]
    [InlineData("UTC", "2026-03-02T02:00Z", "2026-03-01", "2026-03-02")]
    [InlineData("UTC", "2026-03-02T00:00Z", "2026-03-01", "2026-03-02")]
    [InlineData("Europe/Berlin", "2026-03-01T23:30Z", "2026-03-01", "2026-03-02")]
    [InlineData("America/New_York", "2026-03-02T02:00Z", "2026-02-28", "2026-03-01")]
    [InlineData("Pacific/Apia", "2011-12-30T10:00Z", "2011-12-29", "2011-12-31")]
    [InlineData("America/Sao_Paulo", "2018-11-04T03:00Z", "2018-11-03", "2018-11-04")]
    [InlineData("America/Sao_Paulo", "2018-02-18T02:30Z", "2018-02-16", "2018-02-17")]
    [InlineData("America/St_Johns", "2010-11-07T02:30:30Z", "2010-11-05", "2010-11-07")]
    public void A_slot_reports_the_last_day_that_had_ended_or_its_own(string zone, string slot, string previous, string current)
    {
        var schedule = JobScheduleTests.Schedule("* * * * *", zone);
        Assert.Equal(previous, schedule.BusinessDate(At(slot), "previous").ToString("yyyy-MM-dd"));
        Assert.Equal(current, schedule.BusinessDate(At(slot), "current").ToString("yyyy-MM-dd"));
    }

    [Theory]
    [InlineData("Europe/Berlin", "2026-03-29", "2026-03-29T22:00Z")]
    [InlineData("Europe/Berlin", "2026-03-28", "2026-03-28T23:00Z")]
    [InlineData("Pacific/Apia", "2011-12-29", "2011-12-30T10:00Z")]
    [InlineData("Pacific/Apia", "2011-12-30", "2011-12-30T10:00Z")]
    [InlineData("America/Sao_Paulo", "2018-11-03", "2018-11-04T03:00Z")]
    [InlineData("America/Sao_Paulo", "2018-02-17", "2018-02-18T03:00Z")]
    [InlineData("America/St_Johns", "2010-11-06", "2010-11-07T03:30Z")]
    [InlineData("America/Havana", "2018-11-03", "2018-11-04T04:00Z")]
    public void A_local_day_ends_once_for_good(string zone, string day, string end) =>
        Assert.Equal(At(end), JobScheduleTests.Schedule("* * * * *", zone).EndOf(DateOnly.Parse(day)));

    [Fact]
    public void The_last_slot_of_a_date_is_the_last_that_carries_it() =>
        CronCase.Generated.Select(Gen.Bool).Sample((c, previous) =>
        {
            var (schedule, mode) = (JobScheduleTests.Schedule(c.Text, c.Zone), previous ? "previous" : "current");
            var slots = c.Expected();
            var byDate = slots.GroupBy(slot => schedule.BusinessDate(slot, mode)).ToDictionary(g => g.Key, g => g.Max());
            // The outermost days are cut off by the span looked at.
            foreach (var (date, last) in byDate.OrderBy(d => d.Key).SkipLast(2))
                if (schedule.LastSlotOf(date, mode) != last) return false;
            return true;
        }, iter: 150);

    [Fact]
    public void A_date_without_a_slot_has_no_last_slot()
    {
        var mondays = JobScheduleTests.Schedule("0 6 * * MON");
        Assert.Equal(At("2026-03-02T06:00Z"), mondays.LastSlotOf(new DateOnly(2026, 3, 1), "previous"));
        Assert.Null(mondays.LastSlotOf(new DateOnly(2026, 3, 2), "previous"));
        Assert.Equal(At("2026-03-02T06:00Z"), mondays.LastSlotOf(new DateOnly(2026, 3, 2), "current"));
        Assert.Null(JobScheduleTests.Schedule("0 6 * * *", "Pacific/Apia").LastSlotOf(new DateOnly(2011, 12, 30), "previous"));
    }
}
