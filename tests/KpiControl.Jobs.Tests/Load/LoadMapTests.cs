using System.Globalization;
using CsCheck;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Load;
using KpiControl.Jobs.Schedules;
using KpiControl.Jobs.Tests.Schedules;

namespace KpiControl.Jobs.Tests.Load;

public sealed class LoadMapTests
{
    private const int Day = 24 * 60;

    private static readonly DateTimeOffset Midnight = new(2026, 12, 1, 0, 0, 0, TimeSpan.Zero);
    // Midnight itself counts.
    private static readonly DateTimeOffset From = Midnight.AddTicks(-1);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Each_minute_has_the_slots_that_brute_force_finds_there() => CronCase.Generated.Array[1, 4].Sample(cases =>
    {
        var from = cases[0].From;
        var minutes = (int)(cases[0].To - from).TotalMinutes;
        var jobs = cases.Select((one, index) => Job(index, one.Text, zone: one.Zone, dayMatch: "all")).ToList();
        var map = LoadMap.Count(jobs, from, minutes, long.MaxValue, default)!;
        var expected = new int[minutes];
        foreach (var slot in cases.SelectMany(one => (one with { Around = cases[0].Around }).Expected()).Where(slot => slot < from.AddMinutes(minutes)))
            expected[(int)(slot - from).TotalMinutes]++;
        Assert.Equal(expected, map.PerMinute);
    }, iter: 100);

    [Fact]
    public void What_is_advised_is_what_the_schedules_then_do()
    {
        var jobs = Enumerable.Range(1, 400).Select(n => Job(n, "0 2 * * *")).Concat(Enumerable.Range(401, 30).Select(n => Job(n, "*/20 * * * *"))).ToList();
        var map = Count(jobs);
        Assert.Equal((400 + 30, 120), (map.PerMinute[120], map.Peaks(1)[0]));

        var advice = LoadAdvisor.Advise(map, 1, Token).Single();
        Assert.Equal((120, 430), (advice.Minute, advice.Fires));
        var spread = advice.Jobs.Select(job => job.Identity).ToHashSet();
        var followed = Count([.. jobs.Select(job => spread.Contains(job.Identity) ? Job(Number(job), Number(job) > 400 ? "*/20 * * * *" : "0 2 * * *", advice.Spread) : job)]);
        Assert.Equal(advice.HighestAfter, followed.PerMinute.Skip(120).Take(60).Max());
        Assert.Equal(advice.HighestAfter, followed.PerMinute[advice.HighestMinute]);
        Assert.True(advice.HighestAfter < 430 * 0.75);
        Assert.Equal((0, 121), (advice.QuietFires, advice.QuietMinute));
    }

    [Fact]
    public void A_job_is_never_spread_past_its_next_slot()
    {
        var advice = LoadAdvisor.Advise(Count([.. Enumerable.Range(1, 100).Select(n => Job(n, "*/5 * * * *"))]), 10, Token);
        Assert.All(advice, one => Assert.True(one.Spread <= TimeSpan.FromMinutes(5), $"{one.Spread}"));
        Assert.NotEmpty(advice);
        Assert.Empty(LoadAdvisor.Advise(Count([.. Enumerable.Range(1, 100).Select(n => Job(n, "* * * * *"))]), 10, Token));
    }

    [Fact]
    public void Jobs_that_have_their_places_already_and_minutes_that_are_like_the_others_are_no_peak()
    {
        Assert.Empty(LoadAdvisor.Advise(Count([.. Enumerable.Range(1, 9).Select(n => Job(n, "0 2 * * *"))]), 10, Token));
        Assert.Empty(Count([.. Enumerable.Range(1, 600).Select(n => Job(n, "0 * * * *", TimeSpan.FromHours(1)))]).Peaks(10));
    }

    [Fact]
    public void A_paused_job_counts_from_the_end_of_its_pause_and_one_schedule_for_many_counts_for_each()
    {
        var one = Job(1, "0 * * * *");
        var map = Count([one, one with { Identity = "2" }, one with { Identity = "3", NotBefore = Midnight.AddHours(12) }, one with { Identity = "4", NotBefore = DateTimeOffset.MaxValue }]);
        Assert.Equal((2, 2, 3), (map.PerMinute[0], map.PerMinute[12 * 60], map.PerMinute[13 * 60]));
        Assert.Equal(["1", "2", "3"], map.JobsOf(13 * 60).Select(job => job.Identity).Order());
    }

    [Fact]
    public void A_map_begins_within_its_first_minute_and_says_where_too_much_is_asked()
    {
        var now = Midnight.AddSeconds(30);
        var map = LoadMap.Count([Job(1, "0,20,40 * * * * *")], now, 2, 5, Token)!;
        Assert.Equal((Midnight, 1, 3), (map.From, map.PerMinute[0], map.PerMinute[1]));
        Assert.Null(LoadMap.Count([Job(1, "0,20,40 * * * * *")], now, 2, 3, Token));
    }

    private static LoadMap Count(IReadOnlyList<LoadJob> jobs) => LoadMap.Count(jobs, From, Day, long.MaxValue, Token)!;

    private static int Number(LoadJob job) => int.Parse(job.Identity, CultureInfo.InvariantCulture);

    private static LoadJob Job(int number, string cron, TimeSpan? spread = null, string zone = "UTC", string? dayMatch = null)
    {
        var identity = number.ToString(CultureInfo.InvariantCulture);
        var spec = new JobScheduleSpec { Type = "cron", Expression = cron, Timezone = zone, Spread = spread, DayMatch = dayMatch };
        Assert.True(JobSchedule.TryCreate(spec, out var schedule, out var error, identity), error);
        return new LoadJob($"job_{identity}", identity, schedule!);
    }
}
