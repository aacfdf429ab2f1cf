using CsCheck;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;
using KpiControl.Jobs.Schedules;
using KpiControl.Jobs.Sla;
using NodaTime;
using Duration = NodaTime.Duration;

namespace KpiControl.Jobs.Tests.Calendars;

public sealed class BusinessHoursTests
{
    private static readonly string[] Zones =
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "America/St_Johns", "Africa/Casablanca", "Asia/Tehran", "UTC", "Pacific/Chatham", "America/Havana"];

    // Minutes of the day.
    private sealed record Case(string Zone, Instant Since, int Opens, int Closes, int[] Holidays, bool SevenDays, int Counted)
    {
        public string Hours => $"{Clock(Opens)}-{Clock(Closes)}";

        public override string ToString() => $"{Counted} minutes after {Since} in {Hours}, {Zone}, holidays {string.Join(",", Holidays)}{(SevenDays ? ", no weekend" : "")}";

        private static string Clock(int minute) => FormattableString.Invariant($"{minute / 60:00}:{minute % 60:00}");
    }

    private static readonly Gen<Case> Cases =
        from zone in Gen.OneOf(Zones)
        from around in Gen.OneOf(ChangesOf(zone))
        from before in Gen.Int[0, 6 * 24 * 60]
        from opens in Gen.Int[0, 23 * 60]
        from length in Gen.Int[1, 24 * 60 - opens]
        from whole in Gen.Int[0, 4]
        from holidays in Gen.Int[-3, 8].Array[0, 3]
        from sevenDays in Gen.Bool
        from counted in Gen.Int[1, 3 * 24 * 60]
        select new Case(zone, around - Duration.FromMinutes(before), whole == 0 ? 0 : opens, whole == 0 ? 24 * 60 : opens + length, holidays, sevenDays, counted);

    [Fact]
    public void Time_counts_minute_by_minute_as_another_clock_reads_it() => Cases.Sample(one =>
    {
        var zone = DateTimeZoneProviders.Tzdb[one.Zone];
        var first = one.Since.InZone(zone).Date;
        var holidays = one.Holidays.Select(first.PlusDays).ToHashSet();
        var (at, left) = (one.Since, one.Counted);
        for (var minutes = 0; left > 0 && minutes < 60 * 24 * 60; minutes++, at += Duration.FromMinutes(1))
        {
            var local = at.InZone(zone).LocalDateTime;
            var (date, minute) = (local.Date, local.Hour * 60 + local.Minute);
            if (minute >= one.Opens && minute < one.Closes && !holidays.Contains(date) && (one.SevenDays || date.DayOfWeek is not (IsoDayOfWeek.Saturday or IsoDayOfWeek.Sunday)))
                left--;
        }
        // So short a range that it did not come to it in two months is another question.
        if (left == 0)
            Assert.Equal(at.ToDateTimeOffset(), Of(one.Zone, one.Hours, one.SevenDays, [.. holidays.Select(day => day.ToDateOnly())]).After(one.Since.ToDateTimeOffset(), TimeSpan.FromMinutes(one.Counted)));
    }, iter: 1000);

    [Theory]
    // Friday 16:00 and four hours more: one on Friday, three on Monday.
    [InlineData("UTC", "09:00-17:00", "2026-03-06T16:00:00Z", 4, "2026-03-09T12:00:00Z")]
    // It closes at the very instant.
    [InlineData("UTC", "09:00-17:00", "2026-03-06T16:00:00Z", 1, "2026-03-06T17:00:00Z")]
    // Before it opens, and on a Saturday, nothing counts.
    [InlineData("UTC", "09:00-17:00", "2026-03-07T10:00:00Z", 1, "2026-03-09T10:00:00Z")]
    // Berlin skips 02:00 to 03:00 on Sunday 29 March: whole days, seven of them a week.
    [InlineData("Europe/Berlin", "00:00-24:00 all", "2026-03-28T23:00:00Z", 23, "2026-03-29T22:00:00Z")]
    // And has 25 hours on 25 October.
    [InlineData("Europe/Berlin", "00:00-24:00 all", "2026-10-24T22:00:00Z", 25, "2026-10-25T23:00:00Z")]
    public void It_counts_in_the_open_hours_of_business_days(string zone, string hours, string since, int counted, string expected) =>
        Assert.Equal(At(expected), Of(zone, hours.Split(' ')[0], hours.EndsWith("all", StringComparison.Ordinal)).After(At(since), TimeSpan.FromHours(counted)));

    [Fact]
    public void A_holiday_moves_the_warning_and_the_breach_of_a_promise()
    {
        var promised = new SlaTarget(TimeSpan.FromHours(8), TimeSpan.FromHours(2)) { BusinessHours = "09:00-17:00" };
        // From Friday noon: five hours, then Tuesday, for Monday is none.
        var promise = SlaPromise.Freshness(promised, At("2026-04-03T12:00:00Z"), Of("UTC", "09:00-17:00", holidays: new DateOnly(2026, 4, 6)))!;
        Assert.Equal((At("2026-04-07T12:00:00Z"), At("2026-04-07T14:00:00Z")), (promise.WarnAt, promise.BreachAt));
    }

    [Fact]
    public void Time_that_never_comes_is_no_instant() => Assert.Null(Of("UTC", "09:00-17:00").After(At("2099-12-30T00:00:00Z"), TimeSpan.FromDays(3000)));

    [Theory]
    [InlineData("09:00-17:00", true)]
    [InlineData("00:00-24:00", true)]
    [InlineData("17:00-09:00", false)]
    [InlineData("09:00-09:00", false)]
    [InlineData("24:00-24:00", false)]
    [InlineData("9-17", false)]
    public void A_range_opens_before_it_closes(string text, bool isOne) => Assert.Equal(isOne, BusinessHours.IsRange(text));

    private static BusinessHours Of(string zone, string hours, bool sevenDays = false, params DateOnly[] holidays)
    {
        var text = $"calendar: days\n{(sevenDays ? "weekend: []\n" : "")}holidays: [{string.Join(", ", holidays.Select(day => $"{{ date: {day:yyyy-MM-dd}, name: H }}"))}]";
        var calendar = CalendarReader.Read(text, ArtifactFormat.Yaml).Calendar!;
        Assert.True(JobSchedule.TryCreate(new JobScheduleSpec { Type = "cron", Expression = "0 2 * * *", Timezone = zone, Calendar = "days" }, out var schedule, out var error, calendar: calendar), error);
        return schedule!.BusinessHours(hours)!;
    }

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture);

    private static Instant[] ChangesOf(string zone)
    {
        Instant from = Instant.FromUtc(1992, 1, 1, 0, 0), to = Instant.FromUtc(2024, 1, 1, 0, 0);
        Instant[] changes = [.. DateTimeZoneProviders.Tzdb[zone].GetZoneIntervals(from, to).Where(i => i.HasStart && i.Start > from).Select(i => i.Start)];
        return changes.Length > 0 ? changes : [Instant.FromUtc(2020, 2, 29, 0, 0)];
    }
}
