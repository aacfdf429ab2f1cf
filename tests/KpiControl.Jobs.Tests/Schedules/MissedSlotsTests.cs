using System.Diagnostics;
using CsCheck;
using KpiControl.Jobs.Runs;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Jobs.Tests.Schedules;

public sealed class MissedSlotsTests
{
    private static readonly TimeSpan Day = TimeSpan.FromHours(24);
    private static readonly JobSchedule Hourly = JobScheduleTests.Schedule("0 * * * *");

    private static DateTimeOffset At(string instant) => JobScheduleTests.At(instant);

    private static CatchupDecision Decide(string catchup, string seen, string now, TimeSpan? window = null) =>
        MissedSlots.Decide(Hourly, catchup, window ?? Day, At(seen), At(now));

    [Theory]
    [InlineData("none")]
    [InlineData("latest")]
    [InlineData("all")]
    public void A_slot_that_is_merely_late_runs(string catchup)
    {
        var decision = Decide(catchup, "2026-01-01T02:00Z", "2026-01-01T02:59Z");
        Assert.Equal(At("2026-01-01T02:00Z"), decision.RunNow);
        Assert.Equal(At("2026-01-01T03:00Z"), decision.NextCursor);
        Assert.Empty(decision.Skipped);
        Assert.Empty(decision.Queued);
    }

    [Fact]
    public void Nothing_happens_before_the_cursor()
    {
        var decision = Decide("latest", "2026-01-01T02:00Z", "2026-01-01T01:59Z");
        Assert.Equivalent(new CatchupDecision { NextCursor = At("2026-01-01T02:00Z") }, decision, strict: true);
    }

    [Fact]
    public void Latest_runs_the_newest_and_records_the_others_as_superseded()
    {
        var decision = Decide("latest", "2026-01-01T02:00Z", "2026-01-01T06:30Z");
        Assert.Equal(At("2026-01-01T06:00Z"), decision.RunNow);
        Assert.Equal(new SkippedSlots(new SlotRange(At("2026-01-01T02:00Z"), At("2026-01-01T05:00Z"), 4), "superseded"), Assert.Single(decision.Skipped));
        Assert.Equal(At("2026-01-01T07:00Z"), decision.NextCursor);
    }

    [Fact]
    public void None_records_every_missed_slot()
    {
        var decision = Decide("none", "2026-01-01T02:00Z", "2026-01-01T06:30Z");
        Assert.Null(decision.RunNow);
        Assert.Equal(new SkippedSlots(new SlotRange(At("2026-01-01T02:00Z"), At("2026-01-01T06:00Z"), 5), "missed_window"), Assert.Single(decision.Skipped));
    }

    [Fact]
    public void None_still_runs_a_slot_that_has_just_come_due()
    {
        var decision = Decide("none", "2026-01-01T02:00Z", "2026-01-01T06:00:30Z");
        Assert.Equal(At("2026-01-01T06:00Z"), decision.RunNow);
        Assert.Equal(4, Assert.Single(decision.Skipped).Range.Count);
    }

    [Fact]
    public void All_queues_what_lies_in_the_window_and_records_what_is_older()
    {
        var decision = Decide("all", "2026-01-01T02:00Z", "2026-01-01T10:30Z", TimeSpan.FromHours(3));
        Assert.Null(decision.RunNow);
        Assert.Equal([new SlotRange(At("2026-01-01T08:00Z"), At("2026-01-01T10:00Z"), 3)], decision.Queued);
        Assert.Equal(new SkippedSlots(new SlotRange(At("2026-01-01T02:00Z"), At("2026-01-01T07:00Z"), 6), "missed_window"), Assert.Single(decision.Skipped));
        Assert.Equal(At("2026-01-01T11:00Z"), decision.NextCursor);
    }

    [Fact]
    public void A_slot_exactly_as_old_as_the_window_still_counts() =>
        Assert.Equal([new SlotRange(At("2026-01-01T08:00Z"), At("2026-01-01T10:00Z"), 3)],
            Decide("all", "2026-01-01T07:00Z", "2026-01-01T10:00Z", TimeSpan.FromHours(2)).Queued);

    [Theory]
    [InlineData("none")]
    [InlineData("latest")]
    [InlineData("all")]
    public void What_is_older_than_the_window_never_runs(string catchup)
    {
        var yearly = JobScheduleTests.Schedule("0 2 1 1 *");
        var decision = MissedSlots.Decide(yearly, catchup, Day, At("2026-01-01T02:00Z"), At("2026-01-03T02:00Z"));
        Assert.Null(decision.RunNow);
        Assert.Empty(decision.Queued);
        Assert.Equal("missed_window", Assert.Single(decision.Skipped).Reason);
        Assert.Equal(At("2027-01-01T02:00Z"), decision.NextCursor);
    }

    [Fact]
    public void Every_slot_is_in_exactly_one_place_and_the_cursor_follows_the_last() =>
        Gen.Select(CronCase.Generated, Gen.OneOf("none", "latest", "all"), Gen.Double[0, 1], Gen.Double[0, 1], Gen.Int[0, 200], Gen.Int[1, 40])
            .Sample((c, catchup, from, to, windowHours, most) =>
            {
                var schedule = JobScheduleTests.Schedule(c.Text, c.Zone);
                var slots = c.Expected();
                if (slots.Count == 0) return true;
                var seen = slots[(int)(from * (slots.Count - 1))];
                var now = seen + (c.To - seen) * to;
                var decision = MissedSlots.Decide(schedule, catchup, TimeSpan.FromHours(windowHours), seen, now, most);
                IEnumerable<SlotRange> ranges = [.. decision.Skipped.Select(s => s.Range), .. decision.Queued];
                var placed = ranges.SelectMany(r => Expand(schedule, r)).Concat(decision.RunNow is { } run ? [run] : []).Order().ToList();
                var due = slots.Where(s => s >= seen && s <= now).Take(most).ToList();
                return placed.SequenceEqual(due) && decision.NextCursor == schedule.Next(due[^1])
                    && (decision.RunNow ?? now) >= now - TimeSpan.FromHours(windowHours);
            }, iter: 300);

    private static List<DateTimeOffset> Expand(JobSchedule schedule, SlotRange range)
    {
        List<DateTimeOffset> slots = [.. schedule.Slots(range.First.AddTicks(-1), range.Last)];
        Assert.Equal((range.First, range.Last, range.Count), (slots[0], slots[^1], slots.Count));
        return slots;
    }

    [Fact]
    public void A_backlog_is_decided_in_parts_until_it_is_gone()
    {
        var (cursor, now, counted, last) = (At("2026-01-01"), At("2026-01-03T00:30Z"), 0L, (CatchupDecision?)null);
        for (var turns = 0; cursor <= now; turns++)
        {
            Assert.True(turns < 10);
            last = MissedSlots.Decide(Hourly, "latest", Day, cursor, now, mostSlots: 10);
            counted += last.Skipped.Where(s => s.Reason == SkipReason.Superseded).Sum(s => s.Range.Count);
            cursor = last.NextCursor!.Value;
        }
        Assert.Equal(48, counted);
        Assert.Equal(At("2026-01-03"), last!.RunNow);
    }

    [Fact]
    public void A_thousand_days_of_missed_minutes_are_decided_in_seconds()
    {
        var minutely = JobScheduleTests.Schedule("* * * * *", "Europe/Berlin");
        var watch = Stopwatch.StartNew();
        var decision = MissedSlots.Decide(minutely, "latest", Day, At("2023-01-01"), At("2023-01-01").AddDays(1000));
        Assert.Equal(1_440_000, Assert.Single(decision.Skipped).Range.Count);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
    }
}
