using CsCheck;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;
using KpiControl.Jobs.Schedules;
using KpiControl.Jobs.Tests.Schedules;
using NodaTime;

namespace KpiControl.Jobs.Tests.Calendars;

/// <summary>The product's slots on a calendar against an oracle that shares nothing with it.</summary>
public sealed class CalendarOracleTests
{
    private static readonly Gen<string> Crons = Gen.OneOf("0 9 * * *", "30 2 * * *", "0 0 * * *", "*/15 * * * *", "0 */6 * * *", "0 9 1 * *", "0 9 LW * *", "15 23 * * MON", "0 12 * * SUN", "0 18 L * *");
    private static readonly Gen<string> Zones = Gen.OneOf("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "America/St_Johns", "Europe/Dublin", "Australia/Lord_Howe");
    private static readonly Gen<LocalDate> Days = Gen.Int[0, 1200].Select(days => new LocalDate(2025, 6, 1).PlusDays(days));
    private static readonly Gen<IReadOnlySet<IsoDayOfWeek>> Weekends = Gen.OneOf<IReadOnlySet<IsoDayOfWeek>>(
        new HashSet<IsoDayOfWeek> { IsoDayOfWeek.Saturday, IsoDayOfWeek.Sunday }, new HashSet<IsoDayOfWeek> { IsoDayOfWeek.Friday, IsoDayOfWeek.Saturday },
        new HashSet<IsoDayOfWeek> { IsoDayOfWeek.Sunday }, new HashSet<IsoDayOfWeek>());

    private static readonly Gen<CalendarOracle> Calendars = Gen.Select(Weekends, Days.Array[0, 60], Days.Array[0, 8], Gen.Select(Days, Gen.Int[0, 1439], Gen.Int[1, 6000]).Array[0, 12])
        .Select((weekend, holidays, working, blackouts) => new CalendarOracle
        {
            Weekend = weekend, Holidays = holidays.ToHashSet(), WorkingDays = working.ToHashSet(),
            Blackouts = [.. blackouts.Select(b => (b.Item1.AtMidnight().PlusMinutes(b.Item2), b.Item1.AtMidnight().PlusMinutes(b.Item2 + b.Item3)))],
        });

    [Fact]
    public void A_cron_on_a_calendar_has_the_slots_and_the_exceptions_of_the_oracle() =>
        Gen.Select(Calendars, Crons, Zones, Days, Gen.Int[1, 60]).Sample((oracle, cron, zoneName, day, length) =>
        {
            var zone = DateTimeZoneProviders.Tzdb[zoneName];
            var (from, to) = (day.AtStartOfDayInZone(zone).ToInstant(), day.PlusDays(length).AtStartOfDayInZone(zone).ToInstant());
            var expected = oracle.Fates(new CronOracle(cron).Slots(zone, from, to), zone);
            var schedule = Schedule(cron, zoneName, oracle.ToYaml());

            var slots = Slots(schedule.NextExpected, from, to);
            Assert.Equal(expected, slots.Select(slot => (slot, schedule.ExceptionAt(slot)?.Reason ?? "fires")));
            var fires = expected.Where(e => e.Fate == "fires").Select(e => e.Slot).ToList();
            Assert.Equal(fires, schedule.Slots(from.ToDateTimeOffset(), to.ToDateTimeOffset()));
            // Backwards the same.
            var back = new List<DateTimeOffset>();
            for (var slot = schedule.Previous(to.ToDateTimeOffset().AddSeconds(1)); slot > from.ToDateTimeOffset(); slot = schedule.Previous(slot.Value)) back.Insert(0, slot.Value);
            Assert.Equal(fires, back);
        }, iter: 400);

    [Fact]
    public void A_rule_of_business_days_has_the_slots_of_the_oracle() =>
        Gen.Select(Calendars, Gen.OneOf("1", "3", "5", "20", "23", "L", "L-1", "L-2", "L-15"), Gen.Bool, Gen.OneOf("month", "quarter", "year"), Zones, Gen.Int[0, 1439]).Sample((oracle, count, asked, period, zoneName, minute) =>
        {
            var after = asked && !count.StartsWith('L');
            var zone = DateTimeZoneProviders.Tzdb[zoneName];
            var months = period switch { "month" => 1, "quarter" => 3, _ => 12 };
            var ends = Enumerable.Range(-24 / months, 84 / months).Select(i => new LocalDate(2025, 1, 1).PlusMonths(i * months).PlusDays(-1)).ToList();
            Same(oracle, "", ends, count, after, period, zone, LocalTime.FromSecondsSinceMidnight(minute * 60));
        }, iter: 400);

    [Fact]
    public void Fiscal_years_of_weeks_end_where_the_oracle_counts_to() =>
        Gen.Select(Calendars, Gen.OneOf("4-4-5", "4-5-4", "5-4-4"), Gen.OneOf("last", "nearest"), Gen.Int[1, 7], Gen.Int[1, 12]).Sample((oracle, pattern, rule, weekday, month) =>
        {
            // Week by week from one year's end to the next; the years' ends by looking at every day about the month's end.
            LocalDate EndOf(int year)
            {
                var monthEnd = new LocalDate(year, month, 1).PlusMonths(1).PlusDays(-1);
                var days = Enumerable.Range(-6, rule == "last" ? 7 : 13).Select(d => monthEnd.PlusDays(d)).Where(d => (int)d.DayOfWeek == weekday);
                return rule == "last" ? days.Single() : days.MinBy(d => Math.Abs(Period.DaysBetween(d, monthEnd)));
            }
            var ends = new List<LocalDate> { EndOf(2023) };
            for (var year = 2024; year <= 2029; year++)
            {
                foreach (var weeks in pattern.Split('-').Select(int.Parse).ToArray() is var quarter ? quarter.Concat(quarter).Concat(quarter).Concat(quarter) : []) ends.Add(ends[^1].PlusWeeks(weeks));
                if (ends[^1] != EndOf(year))
                {
                    Assert.Equal(EndOf(year), ends[^1].PlusWeeks(1));
                    ends[^1] = EndOf(year);
                }
            }
            var fiscal = $"fiscal: {{ pattern: {pattern}, year_end: {{ rule: {rule}, weekday: {((IsoDayOfWeek)weekday).ToString().ToLowerInvariant()}, month: {month} }} }}";
            Same(oracle, fiscal, ends, "3", after: true, "fiscal_period", DateTimeZoneProviders.Tzdb["Europe/Berlin"], new LocalTime(9, 0));
            Same(oracle, fiscal, [.. ends.Where((_, i) => i % 12 == 0)], "L-2", after: false, "fiscal_year", DateTimeZoneProviders.Tzdb["Europe/Berlin"], new LocalTime(9, 0));
        }, iter: 100);

    [Fact]
    public void A_closing_day_of_months_is_so_many_business_days_from_the_months_end() =>
        Gen.Select(Calendars, Gen.Int[-6, 6], Gen.Int[1, 12]).Sample((oracle, close, start) =>
        {
            LocalDate Close(LocalDate last)
            {
                var business = Enumerable.Range(-60, 120).Select(d => last.PlusDays(d)).Where(oracle.IsBusiness).ToList();
                return close == 0 ? last : close > 0 ? business.Where(d => d > last).ElementAt(close - 1) : business.Where(d => d <= last).Reverse().ElementAt(-close);
            }
            var calendar = CalendarReader.Read(oracle.ToYaml($"fiscal: {{ pattern: month, year_start: {start}, close: {close} }}"), ArtifactFormat.Yaml).Calendar!;
            foreach (var period in calendar.Periods.Where(p => p.First.Year is >= 2025 and <= 2028))
            {
                Assert.Equal((start + period.Number - 2) % 12 + 1, period.First.Month);
                Assert.Equal(start == 1 ? period.First.Year : period.First.Month >= start ? period.First.Year + 1 : period.First.Year, period.Year);
                var close1 = Close(LocalDate.FromDateOnly(period.Last));
                Assert.Equal(close1.ToDateOnly(), period.Close);
            }
        }, iter: 100);

    [Fact]
    public void Every_due_slot_is_in_exactly_one_place_whatever_the_calendar_takes_away() =>
        Gen.Select(Calendars, Crons, Gen.OneOf("none", "latest", "all"), Days, Gen.Int[0, 200], Gen.Int[0, 400], Gen.Int[1, 60]).Sample((oracle, cron, catchup, day, hours, windowHours, most) =>
        {
            var schedule = Schedule(cron, "Europe/Berlin", oracle.ToYaml());
            if (schedule.NextExpected(day.AtMidnight().InUtc().ToDateTimeOffset()) is not { } seen) return;
            var now = seen.AddHours(hours);
            var decision = MissedSlots.Decide(schedule, catchup, TimeSpan.FromHours(windowHours), seen, now, most);

            var due = new List<DateTimeOffset> { seen };
            while (due.Count < most && schedule.NextExpected(due[^1]) is { } next && next <= now) due.Add(next);
            var ranges = decision.Skipped.Select(s => s.Range).Concat(decision.Queued).OrderBy(r => r.First).ToList();
            // As the ledger asks it: no slot lies within another's stretch.
            Assert.All(ranges.Zip(ranges.Skip(1)), pair => Assert.True(pair.First.Last < pair.Second.First));
            Assert.Equal(due, ranges.SelectMany(r => due.Where(slot => slot >= r.First && slot <= r.Last)).Concat(decision.RunNow is { } run ? [run] : []).Order());
            Assert.Equal(due.Count, ranges.Sum(r => r.Count) + (decision.RunNow is null ? 0 : 1));
            Assert.All(decision.Skipped, s => Assert.All(due.Where(slot => slot >= s.Range.First && slot <= s.Range.Last),
                slot => Assert.Equal(s.Reason is "holiday" or "blackout" ? s.Reason : null, schedule.ExceptionAt(slot)?.Reason)));
            Assert.All(decision.Queued, r => Assert.Equal(r.Count, schedule.Slots(r.First.AddTicks(-1), r.Last).Count()));
            Assert.True(decision.RunNow is null || schedule.IsSlot(decision.RunNow.Value));
            Assert.Equal(schedule.NextExpected(due[^1]), decision.NextCursor);
        }, iter: 500);

    private static void Same(CalendarOracle oracle, string fiscal, IReadOnlyList<LocalDate> ends, string count, bool after, string period, DateTimeZone zone, LocalTime at)
    {
        var (from, to) = (Instant.FromUtc(2025, 7, 1, 0, 0), Instant.FromUtc(2028, 6, 1, 0, 0));
        // The period before the first end is not whole, and its day may lie within: the oracle is asked from the second on.
        var expected = oracle.Slots(ends, count, after, at, zone, from, to).ToDictionary(slot => slot, _ => 0).Keys.ToList();
        var schedule = Schedule($"@business_day {count} {(after ? "after" : "of")} {period} at {at:HH:mm}", zone.Id, oracle.ToYaml(fiscal));
        Assert.Equal(expected, Slots(schedule.NextExpected, from, to));
    }

    private static List<DateTimeOffset> Slots(Func<DateTimeOffset, DateTimeOffset?> next, Instant from, Instant to)
    {
        var slots = new List<DateTimeOffset>();
        for (var slot = next(from.ToDateTimeOffset()); slot <= to.ToDateTimeOffset(); slot = next(slot.Value)) slots.Add(slot.Value);
        return slots;
    }

    internal static JobSchedule Schedule(string expression, string zone, string calendar)
    {
        var reading = CalendarReader.Read(calendar, ArtifactFormat.Yaml);
        Assert.Empty(reading.Findings);
        var spec = new JobScheduleSpec { Type = "cron", Expression = expression, Timezone = zone, Calendar = reading.Calendar!.Name };
        Assert.True(JobSchedule.TryCreate(spec, out var schedule, out var error, calendar: reading.Calendar), error);
        return schedule!;
    }
}
