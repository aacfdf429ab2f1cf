using System.Diagnostics;
using System.Globalization;
using CsCheck;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Tests.Schedules;

public sealed class JobScheduleTests
{
    internal static JobSchedule Schedule(string cron, string zone = "UTC")
    {
        Assert.True(JobSchedule.TryCreate(new JobScheduleSpec { Type = "cron", Expression = cron, Timezone = zone }, out var schedule, out var error), error);
        return schedule!;
    }

    internal static DateTimeOffset At(string instant) =>
        DateTimeOffset.Parse(instant, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal);

    private static string[] Slots(string cron, string zone, string after, string upTo) =>
        [.. Schedule(cron, zone).Slots(At(after), At(upTo)).Select(slot => slot.ToString("MM-dd HH:mm", CultureInfo.InvariantCulture))];

    [Fact]
    public void Slots_equal_a_brute_force_walk_of_the_wall_clock_around_clock_changes() =>
        CronCase.Generated.Sample(c => c.Expected().SequenceEqual(Schedule(c.Text, c.Zone).Slots(c.From, c.To)), iter: 400, print: c => c.ToString());

    [Fact]
    public void The_previous_slot_is_the_last_of_the_slots_before() =>
        CronCase.Generated.Select(Gen.Double[0, 1]).Sample((c, part) =>
        {
            var schedule = Schedule(c.Text, c.Zone);
            var before = c.From + (c.To - c.From) * part;
            var expected = c.Expected().LastOrDefault(slot => slot < before);
            return expected == default || schedule.Previous(before) == expected;
        }, iter: 300);

    [Fact]
    public void Every_slot_lies_after_the_question_and_is_reached_from_the_instant_before_it() =>
        CronCase.Generated.Select(Gen.Double[0, 1]).Sample((c, part) =>
        {
            var after = c.From + (c.To - c.From) * part;
            var schedule = Schedule(c.Text, c.Zone);
            return schedule.Next(after) is not { } slot || (slot > after && schedule.Next(slot.AddTicks(-1)) == slot && slot.Offset == TimeSpan.Zero);
        }, iter: 2000);

    [Fact]
    public void A_local_time_that_does_not_exist_runs_at_the_first_instant_that_does()
    {
        Assert.Equal(["03-28 01:30", "03-29 01:00", "03-30 00:30"], Slots("30 2 * * *", "Europe/Berlin", "2026-03-28", "2026-03-31"));
        Assert.Equal(["03-07 07:30", "03-08 07:00", "03-09 06:30"], Slots("30 2 * * *", "America/New_York", "2026-03-07", "2026-03-10"));
        Assert.Equal(["10-02 15:45", "10-03 15:30", "10-04 15:15"], Slots("15 2 * * *", "Australia/Lord_Howe", "2026-10-02", "2026-10-05"));
        Assert.Equal(["11-03 03:00", "11-04 03:00", "11-05 02:00"], Slots("0 0 * * *", "America/Sao_Paulo", "2018-11-03", "2018-11-06"));
    }

    [Fact]
    public void A_local_time_that_exists_twice_runs_once_the_first_time()
    {
        Assert.Equal(["10-24 00:30", "10-25 00:30", "10-26 01:30"], Slots("30 2 * * *", "Europe/Berlin", "2026-10-24", "2026-10-27"));
        Assert.Equal(["11-01 05:30", "11-02 06:30"], Slots("30 1 * * *", "America/New_York", "2026-11-01", "2026-11-03"));
        Assert.Equal(["04-04 14:45", "04-05 15:15"], Slots("45 1 * * *", "Australia/Lord_Howe", "2026-04-04", "2026-04-06"));
        Assert.Equal(["02-18 01:30", "02-19 02:30"], Slots("30 23 * * *", "America/Sao_Paulo", "2018-02-18", "2018-02-20"));
    }

    [Fact]
    public void From_within_the_second_pass_the_next_slot_is_the_next_days() =>
        Assert.Equal(At("2026-10-26T01:30Z"), Schedule("30 2 * * *", "Europe/Berlin").Next(At("2026-10-25T01:15Z")));

    [Fact]
    public void Interval_expressions_run_through_both_passes() =>
        Assert.Equal(["10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"], Slots("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00Z", "2026-10-25T02:00Z"));

    [Fact]
    public void A_zone_that_skipped_a_day_does_not_hold_the_schedule_up()
    {
        Assert.Equal(["12-29 12:00", "12-30 10:00", "12-30 12:00", "12-31 12:00"], Slots("0 2 * * *", "Pacific/Apia", "2011-12-29", "2012-01-01"));
        Assert.Equal(["12-30 10:00"], Slots("0 12 30 12 *", "Pacific/Apia", "2011-12-01", "2012-12-01"));
        Assert.Equal(["08-20 12:30", "08-21 12:00", "08-21 12:30"], Slots("30 0 * * *", "Pacific/Kwajalein", "1993-08-20", "1993-08-22"));
    }

    [Fact]
    public void A_zone_whose_summer_is_its_standard_time_loses_no_slot()
    {
        Assert.Equal(["10-30 00:30", "10-30 01:30", "10-30 02:30"], Slots("30 * * * *", "Europe/Dublin", "2011-10-30T00:00Z", "2011-10-30T03:00Z"));
        Assert.Equal(["03-27 01:30", "03-28 02:30"], Slots("30 2 * * *", "Africa/Casablanca", "2022-03-27", "2022-03-29"));
        Assert.Equal(["05-08 01:00", "05-08 02:00", "05-08 03:00"], Slots("0 * * * *", "Africa/Casablanca", "2022-05-08T00:30Z", "2022-05-08T03:00Z"));
        Assert.Equal(["05-07 02:30", "05-08 02:00", "05-09 01:30"], Slots("30 2 * * *", "Africa/Casablanca", "2022-05-07", "2022-05-10"));
    }

    [Fact]
    public void Manual_and_event_jobs_have_a_zone_and_no_slots()
    {
        foreach (var type in new[] { "manual", "event" })
        {
            Assert.True(JobSchedule.TryCreate(new JobScheduleSpec { Type = type, Timezone = "Europe/Berlin" }, out var schedule, out _));
            Assert.False(schedule!.HasSlots);
            Assert.Null(schedule.Next(At("2026-01-01")));
            Assert.Null(schedule.Previous(At("2026-01-01")));
            Assert.Null(schedule.LastSlotOf(new DateOnly(2026, 1, 1), "previous"));
            Assert.Equal(new DateOnly(2025, 12, 31), schedule.BusinessDate(At("2026-01-01T12:00Z"), "previous"));
        }
    }

    [Theory]
    [InlineData("0 0 30 2 *")]
    [InlineData("0 0 31 4 *")]
    public void An_expression_that_never_comes_has_no_slots(string cron) => Assert.Null(Schedule(cron).Next(At("2026-01-01")));

    [Fact]
    public void Outside_the_years_it_knows_a_schedule_has_no_slots()
    {
        Assert.Null(Schedule("@daily").Next(DateTimeOffset.MaxValue));
        Assert.Null(Schedule("@daily").Next(At("2099-12-31T12:00Z")));
        Assert.Null(Schedule("@daily").Previous(DateTimeOffset.MinValue));
        Assert.Equal(At("2096-02-29"), Schedule("0 0 29 2 *").Next(At("2092-03-01")));
    }

    [Theory]
    [InlineData("", "UTC", "empty")]
    [InlineData("  ", "UTC", "empty")]
    [InlineData("* * * *", "UTC", "4 fields")]
    [InlineData("60 * * * *", "UTC", "between 0 and 59")]
    [InlineData("0 2 * * FUN", "UTC", "not a cron expression")]
    [InlineData("@reboot", "UTC", "not a cron expression")]
    [InlineData("0 2 * * *", "Europe/Berlim", "not a time zone")]
    [InlineData("0 2 * * *", "../zoneinfo/UTC", "not a time zone")]
    [InlineData("0 2 * * *", "right/Europe/Berlin", "not a time zone")]
    [InlineData("0 2 * * *", "", "not a time zone")]
    public void A_schedule_that_makes_no_sense_is_refused_in_words(string cron, string zone, string words)
    {
        Assert.False(JobSchedule.TryCreate(new JobScheduleSpec { Type = "cron", Expression = cron, Timezone = zone }, out var schedule, out var error));
        Assert.Null(schedule);
        Assert.Contains(words, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Six_fields_macros_and_last_days_are_understood()
    {
        Assert.Equal(At("2026-01-01T00:00:30Z"), Schedule("*/30 * * * * *").Next(At("2026-01-01T00:00:00.5Z")));
        Assert.Equal(At("2026-01-02"), Schedule("@daily").Next(At("2026-01-01")));
        Assert.Equal(At("2026-02-28T06:00Z"), Schedule("0 6 L * *").Next(At("2026-02-01")));
        Assert.Equal(At("2026-06-12T06:00Z"), Schedule("0 6 * * FRI#2").Next(At("2026-06-01")));
    }

    [Fact]
    public void H_is_the_same_place_for_the_same_binding_and_spreads_others()
    {
        JobSchedule Of(string identity)
        {
            JobSchedule.TryCreate(new JobScheduleSpec { Type = "cron", Expression = "H H * * *" }, out var schedule, out _, identity);
            return schedule!;
        }
        var at = At("2026-01-01");
        Assert.Equal(Of("acme/prod/a").Next(at), Of("acme/prod/a").Next(at));
        Assert.True(Enumerable.Range(0, 20).Select(i => Of($"acme/prod/{i}").Next(at)).Distinct().Count() > 10);
    }

    private static JobSchedule Of(JobScheduleSpec spec, string identity = "")
    {
        Assert.True(JobSchedule.TryCreate(spec with { Type = "cron" }, out var schedule, out var error, identity), error);
        return schedule!;
    }

    [Fact]
    public void No_slot_lies_outside_start_at_and_end_at()
    {
        var schedule = Of(new() { Type = "cron", Expression = "0 2 * * *", Timezone = "Europe/Berlin", StartAt = "2026-03-28", EndAt = "2026-03-30" });
        Assert.Equal([At("2026-03-28T01:00Z"), At("2026-03-29T01:00Z"), At("2026-03-30T00:00Z")], schedule.Slots(At("2020-01-01"), At("2090-01-01")));
        Assert.Equal(At("2026-03-30T00:00Z"), schedule.Previous(At("2050-01-01")));
        Assert.Null(schedule.Previous(At("2026-03-28T01:00Z")));
        Assert.Null(schedule.Next(At("2026-03-30T00:00Z")));
        Assert.Equal((At("2026-03-27T23:00Z"), At("2026-03-30T21:59:59Z")), (schedule.StartsAt, schedule.EndsAt));
        var exact = Of(new() { Type = "cron", Expression = "0 * * * *", Timezone = "America/New_York", StartAt = "2026-06-01T09:00", EndAt = "2026-06-01T15:00:00+02:00" });
        Assert.Equal([At("2026-06-01T13:00Z")], exact.Slots(At("2026-01-01"), At("2027-01-01")));
    }

    [Fact]
    public void A_day_without_a_midnight_begins_at_its_first_instant()
    {
        var schedule = Of(new() { Type = "cron", Expression = "0 0 * * *", Timezone = "America/Sao_Paulo", StartAt = "2018-11-04", EndAt = "2018-11-04" });
        Assert.Equal([At("2018-11-04T03:00Z")], schedule.Slots(At("2018-01-01"), At("2019-01-01")));
    }

    [Fact]
    public void A_spread_moves_every_slot_by_the_same_place_of_its_binding_and_keeps_its_business_date() =>
        Gen.Select(Gen.Int[1, 86_400], Gen.Int[1, 1_000_000], Gen.OneOf(Gen.Const("0 0 * * *"), Gen.Const("30 23 * * *"), Gen.Const("15 2 * * 1-5"))).Sample((spread, binding, cron) =>
        {
            var spec = new JobScheduleSpec { Type = "cron", Expression = cron, Timezone = "Europe/Berlin" };
            var (plain, moved) = (Of(spec), Of(spec with { Spread = TimeSpan.FromSeconds(spread) }, $"{binding}"));
            var offset = moved.SpreadOffset;
            var slots = plain.Slots(At("2026-03-20"), At("2026-04-05")).ToList();
            Assert.InRange(offset, TimeSpan.Zero, TimeSpan.FromSeconds(spread - 1));
            Assert.Equal(slots.Select(slot => slot + offset), moved.Slots(At("2026-03-20") + offset, At("2026-04-05") + offset));
            foreach (var slot in slots)
                foreach (var mode in new[] { "previous", "current" })
                {
                    Assert.Equal(plain.BusinessDate(slot, mode), moved.BusinessDate(slot + offset, mode));
                    Assert.Equal(plain.LastSlotOf(plain.BusinessDate(slot, mode), mode) + offset, moved.LastSlotOf(plain.BusinessDate(slot, mode), mode));
                }
        }, iter: 100);

    [Fact]
    public void Many_bindings_lie_all_over_their_spread()
    {
        var places = Enumerable.Range(1, 600).Select(i => Of(new() { Type = "cron", Expression = "0 0 * * *", Spread = TimeSpan.FromMinutes(10) }, $"{i}").SpreadOffset.Minutes).ToList();
        Assert.All(Enumerable.Range(0, 10), minute => Assert.InRange(places.Count(p => p == minute), 30, 95));
    }

    [Fact]
    public void The_zone_databases_version_is_named() => Assert.Matches(@"^(20\d\d[a-z]+|rules:[0-9a-f]{12})$", Schedule("@daily").ZoneVersion);

    [Fact]
    public void A_million_slots_take_less_than_ten_seconds()
    {
        var schedule = Schedule("* * * * *", "Europe/Berlin");
        var watch = Stopwatch.StartNew();
        Assert.Equal(1_000_000, schedule.Slots(At("2025-01-01"), At("2030-01-01")).Take(1_000_000).Count());
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
    }
}
