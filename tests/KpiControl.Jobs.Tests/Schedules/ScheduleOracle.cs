using CsCheck;
using NodaTime;

namespace KpiControl.Jobs.Tests.Schedules;

/// <summary>One cron field, and what it means said a second time.</summary>
internal sealed record CronField(string Text, Func<int, bool> Matches, bool Interval = false);

/// <summary>Slots by brute force: every minute of the wall clock, placed by another zone database.</summary>
internal sealed record CronCase(CronField Minute, CronField Hour, CronField Day, CronField Weekday, string Zone, Instant Around)
{
    private static readonly Duration Reach = Duration.FromDays(4);

    public string Text => $"{Minute.Text} {Hour.Text} {Day.Text} * {Weekday.Text}";
    public DateTimeOffset From => (Around - Reach).ToDateTimeOffset();
    public DateTimeOffset To => (Around + Reach).ToDateTimeOffset();
    private bool Interval => Minute.Interval || Hour.Interval;

    public override string ToString() => $"'{Text}' {Zone} around {Around}";

    public List<DateTimeOffset> Expected()
    {
        var zone = DateTimeZoneProviders.Tzdb[Zone];
        var slots = new SortedSet<Instant>();
        var end = (Around + Reach).InUtc().LocalDateTime.PlusDays(2);
        for (var local = (Around - Reach).InUtc().LocalDateTime.PlusDays(-2); local < end; local = local.PlusMinutes(1))
            if (Matches(local)) slots.UnionWith(Places(zone.MapLocal(local)));
        return [.. slots.Where(slot => slot > Around - Reach && slot <= Around + Reach).Select(slot => slot.ToDateTimeOffset())];
    }

    private bool Matches(LocalDateTime at) => Minute.Matches(at.Minute) && Hour.Matches(at.Hour) && Day.Matches(at.Day)
        && Weekday.Matches((int)at.DayOfWeek % 7);

    private IEnumerable<Instant> Places(NodaTime.TimeZones.ZoneLocalMapping mapping) => mapping.Count switch
    {
        0 => [mapping.EarlyInterval.End],
        1 => [mapping.Single().ToInstant()],
        _ => Interval ? [mapping.First().ToInstant(), mapping.Last().ToInstant()] : [mapping.First().ToInstant()],
    };

    private static readonly string[] Zones =
    [
        "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "Pacific/Kwajalein", "UTC",
        "Europe/Moscow", "America/St_Johns", "Europe/Dublin", "Africa/Casablanca", "America/Havana", "Asia/Tehran", "Antarctica/Troll",
        "Asia/Gaza", "America/Caracas", "Asia/Pyongyang", "Pacific/Kiritimati", "Pacific/Chatham", "Africa/Cairo",
    ];

    private static readonly CronField Any = new("*", _ => true);
    private static readonly CronField AnyTime = new("*", _ => true, Interval: true);

    private static readonly Gen<CronField> Minutes = Gen.OneOf(AnyTime, new("*/15", m => m % 15 == 0, true), new("0", m => m == 0),
        new("30", m => m == 30), new("5,59", m => m is 5 or 59), new("10-20", m => m is >= 10 and <= 20, true), new("20/7", m => m >= 20 && (m - 20) % 7 == 0, true));

    private static readonly Gen<CronField> Hours = Gen.OneOf(AnyTime, new("0", h => h == 0), new("2", h => h == 2), new("1,2,3", h => h is 1 or 2 or 3),
        new("23", h => h == 23), new("*/6", h => h % 6 == 0, true), new("1-3", h => h is >= 1 and <= 3, true), new("12", h => h == 12));

    private static readonly Gen<CronField> Days = Gen.OneOf(Any, Any, Any, new("30", d => d == 30), new("*/2", d => d % 2 == 1));
    private static readonly Gen<CronField> Weekdays = Gen.OneOf(Any, Any, Any, new("0", d => d == 0), new("1-5", d => d is >= 1 and <= 5));

    /// <summary>Around a clock change of some zone, 1992 to 2024: years on which zone databases agree.</summary>
    public static readonly Gen<CronCase> Generated =
        from minute in Minutes
        from hour in Hours
        from day in Days
        from weekday in Weekdays
        from zone in Gen.OneOf(Zones)
        from around in Gen.OneOf(ChangesOf(zone))
        select new CronCase(minute, hour, day, weekday, zone, around);

    private static Instant[] ChangesOf(string zone)
    {
        Instant from = Instant.FromUtc(1992, 1, 1, 0, 0), to = Instant.FromUtc(2024, 1, 1, 0, 0);
        Instant[] changes = [.. DateTimeZoneProviders.Tzdb[zone].GetZoneIntervals(from, to).Where(i => i.HasStart && i.Start > from).Select(i => i.Start)];
        return changes.Length > 0 ? changes : [Instant.FromUtc(2020, 2, 29, 0, 0)];
    }
}
