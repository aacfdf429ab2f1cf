using System.Runtime.CompilerServices;

namespace KpiControl.Jobs.Schedules;

/// <summary>A stretch of time, from an instant up to the next span, in which a zone's clock keeps one offset.</summary>
/// <param name="Start">UTC.</param>
/// <param name="End">UTC, not included.</param>
/// <param name="Offset">In force within.</param>
/// <param name="Before">In force until the start: less is a gap in the wall clock, more a repetition.</param>
internal readonly record struct ZoneSpan(DateTime Start, DateTime End, TimeSpan Offset, TimeSpan Before)
{
    public DateTime LocalStart => Start + Offset;
    public DateTime LocalEnd => End + Offset;

    /// <summary>What the clock would have read at the start without the change.</summary>
    public DateTime LocalUnchanged => Start + Before;
}

/// <summary>A zone's wall clock from 1970 to 2100, learnt by its one dependable question: which offset is in force at an instant.</summary>
/// <remarks>
/// What TimeZoneInfo says of local times (invalid, ambiguous, conversion to UTC), and Cronos with it, is wrong where
/// a zone moved its base offset (Apia 2011 skipped a day: the same slot for ever) and where summer is standard time
/// (Casablanca and Dublin, every year: an hour of slots lost in autumn, and Casablanca stuck in spring). Its
/// offset at an instant agreed with NodaTime at every change since 1970 in all zones.
/// </remarks>
internal sealed class ZoneClock
{
    public static readonly DateTime Earliest = new(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);
    public static readonly DateTime Latest = new(2100, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    // No two changes of one zone since 1970, or to come, are closer than a week; 130 years of questions take about a millisecond.
    private static readonly TimeSpan Step = TimeSpan.FromDays(3);

    // Kept for as long as the platform keeps the zone itself.
    private static readonly ConditionalWeakTable<TimeZoneInfo, ZoneClock> Known = [];

    private readonly ZoneSpan[] _spans;

    private ZoneClock(Func<DateTime, TimeSpan> offsetAt) => _spans = [.. Learn(offsetAt)];

    public static ZoneClock Of(TimeZoneInfo zone) => Known.GetValue(zone, static zone => new ZoneClock(zone.GetUtcOffset));

    /// <param name="offsetAt">Of an instant in UTC: another database's answer.</param>
    public static ZoneClock Of(Func<DateTime, TimeSpan> offsetAt) => new(offsetAt);

    public int Count => _spans.Length;

    public ZoneSpan this[int index] => _spans[index];

    /// <summary>The span an instant lies in; those before and after all are counted to the first and the last.</summary>
    public int IndexOf(DateTime utc)
    {
        int low = 0, high = _spans.Length - 1;
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (_spans[middle].Start <= utc) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    public DateTime LocalOf(DateTime utc) => utc + _spans[IndexOf(utc)].Offset;

    /// <summary>The first instant at which the clock reads at least a local time and has not passed it: of two the first, in a gap its end.</summary>
    public DateTime InstantOf(DateTime local)
    {
        var index = IndexOf(local.AddHours(-26));
        while (index < _spans.Length - 1 && local >= _spans[index].LocalEnd) index++;
        var span = _spans[index];
        return local >= span.LocalStart ? local - span.Offset : span.Start;
    }

    /// <summary>The instant after which the clock never reads this day again; where it has no midnight, the end of the gap.</summary>
    public DateTime EndOf(DateOnly date)
    {
        var midnight = date.AddDays(1).ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc);
        var index = IndexOf(midnight.AddHours(26));
        while (index > 0 && _spans[index].LocalStart >= midnight) index--;
        var span = _spans[index];
        return midnight < span.LocalEnd ? midnight - span.Offset : span.End;
    }

    /// <summary>False for a day that the zone skipped.</summary>
    public bool Has(DateOnly date) => DateOnly.FromDateTime(LocalOf(EndOf(date).AddTicks(-1))) == date;

    private static IEnumerable<ZoneSpan> Learn(Func<DateTime, TimeSpan> offsetAt)
    {
        var (start, before, offset) = (Earliest, offsetAt(Earliest), offsetAt(Earliest));
        for (var at = Earliest; at < Latest; at += Step)
        {
            if (offsetAt(at + Step) is var changed && changed == offset) continue;
            var change = FirstSecondOf(offsetAt, changed, at, at + Step);
            yield return new ZoneSpan(start, change, offset, before);
            (start, before, offset) = (change, offset, changed);
        }
        yield return new ZoneSpan(start, Latest.AddYears(1), offset, before);
    }

    private static DateTime FirstSecondOf(Func<DateTime, TimeSpan> offsetAt, TimeSpan offset, DateTime without, DateTime with)
    {
        while (with - without > TimeSpan.FromSeconds(1))
        {
            var middle = without.AddSeconds(Math.Floor((with - without).TotalSeconds / 2));
            if (offsetAt(middle) == offset) with = middle;
            else without = middle;
        }
        return with;
    }
}
