using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Schedules;
using KpiControl.Jobs.Sla;

namespace KpiControl.Jobs.Tests.Sla;

public sealed class SlaPromiseTests
{
    private static readonly DateTimeOffset Good = At("2026-03-02T02:00:00Z");

    [Theory]
    [InlineData("24:00:00", "02:24:00")]
    [InlineData("00:30:00", "00:15:00")]
    [InlineData("02:30:00", "00:15:00")]
    public void A_bare_duration_has_a_grace_of_a_quarter_of_an_hour_or_a_tenth(string target, string grace)
    {
        var length = target == "24:00:00" ? TimeSpan.FromHours(24) : TimeSpan.Parse(target, System.Globalization.CultureInfo.InvariantCulture);
        var promise = SlaPromise.Freshness(new SlaTarget(length, null), Good);
        Assert.Equal(Good + length, promise.WarnAt);
        Assert.Equal(TimeSpan.Parse(grace, System.Globalization.CultureInfo.InvariantCulture), promise.BreachAt - promise.WarnAt);
    }

    [Fact]
    public void Freshness_needs_a_result_that_reaches_further_than_the_last()
    {
        var promise = SlaPromise.Freshness(new SlaTarget(TimeSpan.FromHours(1), TimeSpan.Zero), Good);
        Assert.False(promise.IsKeptBy(null));
        Assert.False(promise.IsKeptBy(Good));
        Assert.True(promise.IsKeptBy(Good.AddMinutes(1)));
    }

    [Fact]
    public void A_day_is_owed_its_first_slot_by_the_wall_clock()
    {
        // Berlin: 09:00 is 08:00 UTC in winter and 07:00 in summer.
        var schedule = Schedule("0 2 * * *", "Europe/Berlin");
        var winter = Availability(schedule, "09:00", "2026-03-27T12:00:00Z")!;
        Assert.Equal((At("2026-03-28T08:00:00Z"), At("2026-03-28T08:30:00Z"), At("2026-03-28T01:00:00Z")), (winter.WarnAt, winter.BreachAt, winter.Needs));
        var summer = Availability(schedule, "09:00", "2026-03-28T12:00:00Z")!;
        // 02:00 does not exist that day: the first instant beyond.
        Assert.Equal((At("2026-03-29T07:00:00Z"), At("2026-03-29T01:00:00Z")), (summer.WarnAt, summer.Needs));
    }

    [Fact]
    public void Days_without_a_slot_owe_nothing_and_later_slots_of_a_day_neither()
    {
        var mondays = Availability(Schedule("0 6 * * 1", "UTC"), "09:00", "2026-03-03T12:00:00Z")!;
        Assert.Equal((At("2026-03-09T09:00:00Z"), At("2026-03-09T06:00:00Z")), (mondays.WarnAt, mondays.Needs));
        var hourly = Availability(Schedule("0 * * * *", "UTC"), "09:00", "2026-03-03T05:00:00Z")!;
        Assert.Equal((At("2026-03-03T09:00:00Z"), At("2026-03-03T00:00:00Z")), (hourly.WarnAt, hourly.Needs));
    }

    [Fact]
    public void A_slot_of_before_the_job_was_there_is_owed_by_nobody()
    {
        var promise = Availability(Schedule("0 2 * * *", "UTC"), "09:00", "2026-03-03T08:00:00Z", since: "2026-03-03T08:00:00Z")!;
        Assert.Equal(At("2026-03-04T09:00:00Z"), promise.WarnAt);
        Assert.Equal(At("2026-03-03T09:00:00Z"), Availability(Schedule("0 2 * * *", "UTC"), "09:00", "2026-03-03T08:00:00Z")!.WarnAt);
    }

    [Fact]
    public void A_job_without_a_schedule_owes_something_of_the_day_and_one_that_is_always_later_nothing()
    {
        Assert.True(JobSchedule.TryCreate(new JobScheduleSpec { Type = "manual", Timezone = "Asia/Tokyo" }, out var manual, out _));
        var promise = SlaPromise.Availability(new SlaAvailability(new TimeOnly(9, 0), null), manual!, At("2026-03-03T12:00:00Z"), default)!;
        Assert.Equal((At("2026-03-04T00:00:00Z"), At("2026-03-03T15:00:00Z")), (promise.WarnAt, promise.Needs));
        Assert.Null(Availability(Schedule("0 12 * * *", "UTC"), "09:00", "2026-03-03T12:00:00Z"));
    }

    [Fact]
    public void A_time_of_day_that_is_skipped_comes_at_the_end_of_the_gap_and_one_that_comes_twice_the_first_time()
    {
        var schedule = Schedule("0 1 * * *", "Europe/Berlin");
        Assert.Equal(At("2026-03-29T01:00:00Z"), schedule.InstantOf(new DateOnly(2026, 3, 29), new TimeOnly(2, 30)));
        Assert.Equal(At("2026-10-25T00:30:00Z"), schedule.InstantOf(new DateOnly(2026, 10, 25), new TimeOnly(2, 30)));
        Assert.Equal(At("2026-07-01T22:30:00Z"), schedule.InstantOf(new DateOnly(2026, 7, 2), new TimeOnly(0, 30)));
    }

    [Fact]
    public void A_turn_warns_then_breaches_and_holds_again_by_a_result()
    {
        var promise = SlaPromise.Freshness(new SlaTarget(TimeSpan.FromHours(1), TimeSpan.FromMinutes(10)), Good);
        var was = new SlaStanding(SlaState.Pass, promise, good => good.AddHours(1));
        SlaPromise? Next(DateTimeOffset good) => SlaPromise.Freshness(new SlaTarget(TimeSpan.FromHours(1), TimeSpan.FromMinutes(10)), good);

        var held = SlaTurn.At(was, promise.WarnAt, Good.AddMinutes(50), Next);
        Assert.Equal((SlaState.Pass, Good.AddMinutes(110)), (held.State, held.DueAt!.Value));
        var warned = SlaTurn.At(was, promise.WarnAt, Good, Next);
        Assert.Equal((SlaState.Warn, promise.BreachAt), (warned.State, warned.DueAt!.Value));
        var breached = SlaTurn.At(was with { State = SlaState.Warn }, promise.BreachAt, Good, Next);
        Assert.Equal((SlaState.Breach, null), (breached.State, breached.DueAt));
        Assert.True(SlaTurn.Holds(was, promise.BreachAt, Good.AddMinutes(60)));
        // It came, and is stale already.
        Assert.False(SlaTurn.Holds(was, promise.BreachAt.AddHours(1), Good.AddMinutes(60)));
    }

    [Fact]
    public void Without_a_grace_there_is_no_warning()
    {
        var promise = SlaPromise.Freshness(new SlaTarget(TimeSpan.FromHours(1), TimeSpan.Zero), Good);
        Assert.Equal(SlaState.Breach, SlaTurn.At(new SlaStanding(SlaState.Pass, promise, good => good.AddHours(1)), promise.WarnAt, null, _ => null).State);
    }

    [Theory]
    [InlineData(60, SlaState.Pass)]
    [InlineData(61, SlaState.Warn)]
    [InlineData(90, SlaState.Warn)]
    [InlineData(91, SlaState.Breach)]
    public void A_run_is_held_to_its_latency(int seconds, SlaState expected) =>
        Assert.Equal(expected, RunPromise.Latency(new JobSla { Latency = new SlaTarget(TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(30)) }, TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void Only_the_first_slot_of_a_day_is_waited_for_by_its_deadline()
    {
        var sla = new JobSla { Availability = new SlaAvailability(new TimeOnly(9, 0), TimeSpan.FromMinutes(5)) };
        var schedule = Schedule("0 2,4 * * *", "UTC");
        Assert.Equal(At("2026-03-03T09:05:00Z"), RunPromise.DeliverBy(sla, schedule, At("2026-03-03T02:00:00Z")));
        Assert.Null(RunPromise.DeliverBy(sla, schedule, At("2026-03-03T04:00:00Z")));
        Assert.Null(RunPromise.DeliverBy(null, schedule, At("2026-03-03T02:00:00Z")));
    }

    [Fact]
    public void A_result_for_a_date_of_the_past_reaches_as_far_as_that_dates_last_slot()
    {
        var schedule = Schedule("0 2 * * *", "UTC");
        Assert.Equal(At("2026-03-03T15:00:00Z"), RunPromise.GoodThrough(schedule, At("2026-03-03T15:00:00Z"), new DateOnly(2026, 3, 2), "previous"));
        Assert.Equal(At("2026-02-28T02:00:00Z"), RunPromise.GoodThrough(schedule, At("2026-03-03T15:00:00Z"), new DateOnly(2026, 2, 27), "previous"));
        Assert.True(RunPromise.IsGood("partial", "warn"));
        Assert.False(RunPromise.IsGood("partial", "last_good"));
    }

    private static SlaPromise? Availability(JobSchedule schedule, string by, string after, string since = "2000-01-01T00:00:00Z") => SlaPromise.Availability(
        new SlaAvailability(TimeOnly.ParseExact(by, "HH:mm", System.Globalization.CultureInfo.InvariantCulture), TimeSpan.FromMinutes(30)), schedule, At(after), At(since));

    private static JobSchedule Schedule(string cron, string zone)
    {
        Assert.True(JobSchedule.TryCreate(new JobScheduleSpec { Type = "cron", Expression = cron, Timezone = zone }, out var schedule, out var error), error);
        return schedule!;
    }

    private static DateTimeOffset At(string instant) => DateTimeOffset.Parse(instant, System.Globalization.CultureInfo.InvariantCulture);
}
