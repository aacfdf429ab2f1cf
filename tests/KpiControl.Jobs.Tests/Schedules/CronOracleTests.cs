using CsCheck;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Schedules;
using NodaTime;

namespace KpiControl.Jobs.Tests.Schedules;

/// <summary>The product's slots against an oracle that shares neither its cron library nor its zone database.</summary>
public sealed class CronOracleTests
{
    // The same cases each time; KPI_SEED looks at others.
    private static readonly uint Seed = uint.TryParse(Environment.GetEnvironmentVariable("KPI_SEED"), out var seed) ? seed : 20260101;

    private static readonly Gen<string> Seconds = OneOf("0", "30", "15,45", "*/20", "59");
    private static readonly Gen<string> Minutes = Gen.Frequency((3, Number(0, 59)), (1, OneOf("*/15", "*", "0,30", "10-20", "50-10/5", "7/20", "0-59/30")));
    private static readonly Gen<string> Hours = Gen.Frequency((3, Number(0, 23)), (1, OneOf("*", "*/6", "1,2,3", "22-2", "0-4", "23", "3/9")));
    private static readonly Gen<string> Days = Gen.Frequency((4, Gen.Const("*")), (1, Gen.Const("?")), (2, Number(1, 31)), (1, Number(1, 31).Select(day => day + "W")),
        (2, OneOf("L", "LW", "L-1", "L-3", "L-10W", "L-30", "1-7", "*/2", "28-3", "1,15", "31")));
    private static readonly Gen<string> MonthsOf = Gen.Frequency((4, Gen.Const("*")), (1, OneOf("1", "JAN,jul", "2", "*/3", "11-2", "MAR-oct", "6", "10")));
    private static readonly Gen<string> Weekdays = Gen.Frequency((4, Gen.Const("*")), (1, Gen.Const("?")),
        (2, OneOf("MON", "0", "7", "MON-FRI", "fri-mon", "1,3,5", "5L", "SUNL", "TUE#2", "6#5", "0#1", "*/2", "SAT")));

    private static readonly Gen<string> Expressions = Gen.Frequency(
        (9, Gen.Select(Minutes, Hours, Days, MonthsOf, Weekdays).Select((minute, hour, day, month, weekday) => $"{minute} {hour} {day} {month} {weekday}")),
        (2, Gen.Select(Seconds, Number(0, 59), Hours, Days, Weekdays).Select((second, minute, hour, day, weekday) => $"{second} {minute} {hour} {day} * {weekday}")),
        (1, OneOf("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly", "@Daily")));

    private static readonly IReadOnlyList<string> Zones = [.. DateTimeZoneProviders.Tzdb.Ids.Where(id =>
        JobSchedule.TryCreate(new JobScheduleSpec { Type = "manual", Timezone = id }, out _, out _))];

    [Fact]
    public void Slots_are_those_of_the_oracle_in_any_zone_from_1970_to_2100()
    {
        var (random, tally) = (new PCG(1, Seed), new Tally());
        foreach (var id in Sampled(random, 100))
        {
            var zone = DateTimeZoneProviders.Tzdb[id];
            Instant[] changes = [.. zone.GetZoneIntervals(Instant.FromUtc(1970, 2, 1, 0, 0), Instant.FromUtc(2099, 11, 1, 0, 0)).Where(i => i.HasStart && i.Start > Instant.FromUtc(1970, 2, 1, 0, 0)).Select(i => i.Start)];
            for (var i = 0; i < 20; i++)
            {
                var around = i % 2 == 0 && changes.Length > 0 ? changes[(int)random.Next((uint)changes.Length)]
                    : Instant.FromUtc(1970, 2, 1, 0, 0).Plus(Duration.FromMinutes(random.Next(68_200_000)));
                var reach = Duration.FromDays(i % 5 == 0 ? 45 : 3);
                Compare(Expressions.Generate(random, null, out _), zone, around - reach, around + reach, tally);
            }
        }
        tally.Report(Zones.Count, Seed);
    }

    [Fact]
    public void Slots_are_those_of_the_oracle_at_every_clock_change_of_the_next_ten_years_in_every_zone()
    {
        var (random, tally) = (new PCG(2, Seed), new Tally());
        foreach (var zone in Zones.Select(id => DateTimeZoneProviders.Tzdb[id]))
            foreach (var change in zone.GetZoneIntervals(Instant.FromUtc(2026, 11, 1, 0, 0), Instant.FromUtc(2037, 1, 1, 0, 0)).Where(i => i.HasStart && i.Start >= Instant.FromUtc(2026, 11, 1, 0, 0)).Select(i => i.Start))
            {
                // Named times at, within and about the hour that is lost or comes twice, and an interval through it.
                var local = (change - Duration.FromSeconds(1)).InZone(zone).LocalDateTime.PlusMinutes(31);
                foreach (var cron in new[] { $"{local.Minute} {local.Hour} * * *", $"{local.Minute} {local.PlusHours(-1).Hour} * * *", "*/30 * * * *", Expressions.Generate(random, null, out _) })
                    Compare(cron, zone, change - Duration.FromDays(1), change + Duration.FromDays(1), tally);
            }
        tally.Report(Zones.Count, Seed);
    }

    [Fact]
    public void H_is_one_of_the_places_it_stands_for()
    {
        var at = new DateTimeOffset(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);
        for (var i = 0; i < 200; i++)
        {
            Assert.True(JobSchedule.TryCreate(new JobScheduleSpec { Type = "cron", Expression = "H H * * *" }, out var schedule, out var error, $"{i}"), error);
            var slots = schedule!.Slots(at, at.AddDays(3)).ToList();
            Assert.Equal(3, slots.Count);
            Assert.Equal(slots, new CronOracle($"{slots[0].Minute} {slots[0].Hour} * * *").Slots(DateTimeZone.Utc, Instant.FromDateTimeOffset(at), Instant.FromDateTimeOffset(at.AddDays(3))));
        }
    }

    private static IEnumerable<string> Sampled(PCG random, int count) => Enumerable.Range(0, count).Select(_ => Zones[(int)random.Next((uint)Zones.Count)]).Distinct();

    private static Gen<string> OneOf(params string[] texts) => Gen.OneOf([.. texts.Select(Gen.Const)]);

    private static Gen<string> Number(int from, int to) => Gen.Int[from, to].Select(number => $"{number}");

    private static void Compare(string cron, DateTimeZone zone, Instant from, Instant to, Tally tally)
    {
        if (!Agree(zone, from, to))
        {
            tally.OtherData.Add(zone.Id);
            return;
        }
        Assert.True(JobSchedule.TryCreate(new JobScheduleSpec { Type = "cron", Expression = cron, Timezone = zone.Id }, out var schedule, out var error), $"{cron}: {error}");
        var slots = schedule!.Slots(from.ToDateTimeOffset(), to.ToDateTimeOffset()).ToList();
        var expected = new CronOracle(cron).Slots(zone, from, to);
        tally.Slots += expected.Count;
        tally.Cases++;
        if (!slots.SequenceEqual(expected))
            Assert.Fail($"'{cron}' in {zone.Id} from {from} to {to} (KPI_SEED={Seed}): missing {string.Join(' ', expected.Except(slots).Take(3))}; extra {string.Join(' ', slots.Except(expected).Take(3))}");
    }

    // The two databases are of different releases: where their data differ, their slots must.
    private static bool Agree(DateTimeZone zone, Instant from, Instant to)
    {
        var platform = TimeZoneInfo.FindSystemTimeZoneById(zone.Id);
        return zone.GetZoneIntervals(from - Duration.FromDays(3), to + Duration.FromDays(3)).All(interval =>
        {
            var first = interval.HasStart ? Instant.Max(interval.Start, from - Duration.FromDays(3)) : from - Duration.FromDays(3);
            var last = (interval.HasEnd ? Instant.Min(interval.End, to + Duration.FromDays(3)) : to + Duration.FromDays(3)) - Duration.FromSeconds(1);
            return platform.GetUtcOffset(first.ToDateTimeUtc()) == interval.WallOffset.ToTimeSpan() && platform.GetUtcOffset(last.ToDateTimeUtc()) == interval.WallOffset.ToTimeSpan();
        });
    }

    private sealed class Tally
    {
        public int Cases { get; set; }
        public long Slots { get; set; }
        public HashSet<string> OtherData { get; } = [];

        public void Report(int zones, uint seed)
        {
            TestContext.Current.TestOutputHelper?.WriteLine($"KPI_SEED={seed}: {Cases} cases, {Slots} slots, {zones} zones, NodaTime {DateTimeZoneProviders.Tzdb.VersionId}; other data: {string.Join(' ', OtherData)}");
            Assert.True(Cases > 1000 && Slots > 10_000 && zones > 400, $"only {Cases} cases, {Slots} slots, {zones} zones");
            Assert.True(OtherData.Count < zones / 10, $"the databases differ in {OtherData.Count} zones: {string.Join(' ', OtherData)}");
        }
    }
}
