using System.Globalization;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Plans;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Tests.Plans;

public sealed class FireTimeTests
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 10, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Whether_the_other_schedule_has_the_slot_decides_not_whether_it_is_listed() =>
        // The daily 06:00 is one of the hourly slots, though far beyond the next five of those.
        Assert.Equal(
            ["vanishes 13:00", "vanishes 14:00", "vanishes 15:00", "vanishes 16:00", "vanishes 17:00", "stays 06:00", "stays 06:00", "stays 06:00", "stays 06:00", "stays 06:00"],
            Lines(FireTimes.Next(Cron("0 * * * *"), Cron("0 6 * * *"), Noon)));

    [Fact]
    public void A_slot_moves_within_its_local_day_and_vanishes_or_appears_beyond_it()
    {
        Assert.Equal(["moves 02:00 06:00", "moves 02:00 06:00", "moves 02:00 06:00", "moves 02:00 06:00", "moves 02:00 06:00"], Lines(FireTimes.Next(Cron("0 2 * * *"), Cron("0 6 * * *"), Noon)));
        Assert.Equal(["appears 02:00", "appears 02:00"], Lines(FireTimes.Next(null, Cron("0 2 * * *"), Noon, 2)));
        Assert.Equal(["vanishes 02:00", "vanishes 02:00"], Lines(FireTimes.Next(Cron("0 2 * * *"), null, Noon, 2)));
        Assert.Empty(FireTimes.Next(null, null, Noon));
        // Tuesdays and Wednesdays: other days, so nothing moves.
        Assert.Equal(["appears 02:00", "vanishes 02:00"], Lines(FireTimes.Next(Cron("0 2 * * TUE"), Cron("0 2 * * WED"), Noon, 1)));
    }

    [Theory]
    [InlineData("30 2 * * *", "moves 02:30 03:00")]
    [InlineData("0 4 * * *", "")]
    [InlineData("0 * * * *", "vanishes 02:00")]
    [InlineData("0 2,3 * * *", "vanishes 02:00")]
    public void Spring_skips_or_moves_what_falls_into_the_gap(string cron, string effects)
    {
        var change = ClockChange.Next("Europe/Berlin", Noon)!;
        Assert.Equal((new DateTimeOffset(2026, 3, 29, 1, 0, 0, TimeSpan.Zero), 1, 2), (change.At, change.Before.Hours, change.After.Hours));
        Assert.Equal(effects, Effects(change, cron));
    }

    [Theory]
    [InlineData("30 2 * * *", "")]
    [InlineData("0 * * * *", "appears 02:00")]
    [InlineData("*/30 * * * *", "appears 02:00, appears 02:30")]
    public void Autumn_brings_interval_slots_once_more(string cron, string effects) =>
        Assert.Equal(effects, Effects(ClockChange.Next("Europe/Berlin", new DateTimeOffset(2026, 7, 1, 0, 0, 0, TimeSpan.Zero))!, cron));

    [Fact]
    public void A_zone_without_changes_to_come_has_none()
    {
        Assert.Null(ClockChange.Next("UTC", Noon));
        Assert.Null(ClockChange.Next("Asia/Tokyo", Noon));
        Assert.Null(ClockChange.Next("No/Where", Noon));
    }

    [Fact]
    public void Another_zone_moves_what_falls_around_the_change()
    {
        var change = ClockChange.Next("Europe/Berlin", Noon)!;
        // 02:00 UTC is 03:00 in Berlin before the change and 04:00 after it.
        Assert.Equal(["stays 02:00", "moves 02:00 01:00", "moves 02:00 01:00"], Lines(FireTimes.Around(Cron("0 2 * * *"), Cron("0 3 * * *", "Europe/Berlin"), change.At)));
    }

    [Fact]
    public void A_schedule_of_each_second_is_seen_through_a_narrow_window() =>
        Assert.InRange(FireTimes.Around(Cron("* * * * * *"), Cron("*/2 * * * * *"), Noon).Count, 1, FireTimes.Most * 2);

    private static string Effects(ClockChange change, string cron)
    {
        var spec = Spec(cron, change.Timezone);
        Assert.True(JobSchedule.TryCreate(spec, out var schedule, out _));
        return string.Join(", ", change.EffectsOn(schedule!, spec, "").Select(effect => $"{effect.Kind} {effect.Without:HH:mm} {effect.With:HH:mm}".Replace("  ", " ", StringComparison.Ordinal).TrimEnd()));
    }

    private static IEnumerable<string> Lines(IEnumerable<FireTime> times) => times.Select(time => time.Kind switch
    {
        "moves" => string.Create(CultureInfo.InvariantCulture, $"moves {time.Before:HH:mm} {time.After:HH:mm}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.Kind} {time.After ?? time.Before:HH:mm}"),
    });

    private static JobScheduleSpec Spec(string cron, string zone) => new() { Type = "cron", Expression = cron, Timezone = zone };

    private static JobSchedule Cron(string cron, string zone = "UTC") =>
        JobSchedule.TryCreate(Spec(cron, zone), out var schedule, out var error) ? schedule! : throw new InvalidOperationException(error);
}
