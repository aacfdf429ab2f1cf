using CsCheck;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Tests.Schedules;

/// <summary>A schedule that another one takes the place of at an instant.</summary>
public sealed class ScheduleUntilTests
{
    private static readonly JobSchedule Hourly = JobScheduleTests.Schedule("0 * * * *"), Often = JobScheduleTests.Schedule("*/20 * * * *");

    private static DateTimeOffset At(string instant) => JobScheduleTests.At(instant);

    [Fact]
    public void Slots_before_the_instant_are_the_ones_and_from_it_on_the_others()
    {
        var changing = Often.Until(At("2026-01-01T02:00Z"), Hourly);

        Assert.Equal([At("2026-01-01T01:20Z"), At("2026-01-01T01:40Z"), At("2026-01-01T02:00Z"), At("2026-01-01T03:00Z")],
            changing.Slots(At("2026-01-01T01:00Z"), At("2026-01-01T03:59Z")));
        Assert.Equal(At("2026-01-01T01:40Z"), changing.Previous(At("2026-01-01T02:00Z")));
        Assert.Equal(At("2026-01-01T02:00Z"), changing.Previous(At("2026-01-01T03:00Z")));
        Assert.True(changing.IsSlot(At("2026-01-01T01:40Z")));
        Assert.False(changing.IsSlot(At("2026-01-01T02:20Z")));
    }

    [Fact]
    public void A_slot_at_the_instant_is_the_others_alone()
    {
        var changing = Often.Until(At("2026-01-01T02:20Z"), Hourly);

        Assert.False(changing.IsSlot(At("2026-01-01T02:20Z")));
        Assert.Equal(At("2026-01-01T03:00Z"), changing.Next(At("2026-01-01T02:00Z")));
        Assert.Equal(At("2026-01-01T02:00Z"), changing.Previous(At("2026-01-01T03:00Z")));
    }

    [Fact]
    public void What_was_missed_is_counted_by_the_schedule_that_stood_at_each_slot()
    {
        var changing = Often.Until(At("2026-01-01T02:00Z"), Hourly);

        var decision = MissedSlots.Decide(changing, "latest", TimeSpan.FromHours(24), At("2026-01-01T01:00Z"), At("2026-01-01T05:30Z"));

        Assert.Equal(At("2026-01-01T05:00Z"), decision.RunNow);
        Assert.Equal((At("2026-01-01T01:00Z"), At("2026-01-01T04:00Z"), 6), Assert.Single(decision.Skipped).Range is var range ? (range.First, range.Last, range.Count) : default);
        Assert.Equal(At("2026-01-01T06:00Z"), decision.NextCursor);
    }

    [Fact]
    public void The_last_slot_of_a_business_date_is_found_on_either_side()
    {
        var changing = JobScheduleTests.Schedule("0 3,20 * * *").Until(At("2026-01-02T12:00Z"), JobScheduleTests.Schedule("0 5 * * *"));

        // The second of January would have had its slot at 20:00 as well.
        Assert.Equal(At("2026-01-01T20:00Z"), changing.LastSlotOf(new DateOnly(2025, 12, 31), "previous"));
        Assert.Equal(At("2026-01-02T03:00Z"), changing.LastSlotOf(new DateOnly(2026, 1, 1), "previous"));
        Assert.Equal(At("2026-01-03T05:00Z"), changing.LastSlotOf(new DateOnly(2026, 1, 2), "previous"));
    }

    [Fact]
    public void A_stretch_of_another_schedule_joins_on_both_sides()
    {
        var stretch = Hourly.Until(At("2026-01-01T02:10Z"), Often.Until(At("2026-01-01T03:00Z"), Hourly));

        Assert.Equal([At("2026-01-01T01:00Z"), At("2026-01-01T02:00Z"), At("2026-01-01T02:20Z"), At("2026-01-01T02:40Z"), At("2026-01-01T03:00Z"), At("2026-01-01T04:00Z")],
            stretch.Slots(At("2026-01-01T00:30Z"), At("2026-01-01T04:30Z")));
        Assert.Equal([At("2026-01-01T03:00Z"), At("2026-01-01T02:40Z"), At("2026-01-01T02:20Z"), At("2026-01-01T02:00Z")],
            new[] { "2026-01-01T04:00Z", "2026-01-01T03:00Z", "2026-01-01T02:40Z", "2026-01-01T02:20Z" }.Select(slot => stretch.Previous(At(slot))!.Value));
    }

    [Fact]
    public void Forward_and_backward_it_is_the_two_joined_wherever_it_changes() => Gen.Select(Gen.Int[0, 59], Gen.Int[1, 23], Gen.Int[0, 100_000]).Sample((minute, hours, seconds) =>
    {
        var (first, then, start) = (JobScheduleTests.Schedule($"{minute} */{hours} * * *"), JobScheduleTests.Schedule("*/35 * * * *"), At("2026-03-01T00:00Z"));
        var (change, end) = (start.AddSeconds(seconds), start.AddDays(2));
        var changing = first.Until(change, then);

        var expected = first.Slots(start, end).Where(slot => slot < change).Concat(then.Slots(start, end).Where(slot => slot >= change)).ToList();

        Assert.Equal(expected, changing.Slots(start, end));
        var backward = new List<DateTimeOffset>();
        for (var slot = changing.Previous(end.AddTicks(1)); slot is { } found && found > start; slot = changing.Previous(found)) backward.Insert(0, found);
        Assert.Equal(expected, backward);
    });
}
