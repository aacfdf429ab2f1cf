using System.Globalization;
using KpiControl.Jobs.Tests.Schedules;
using NodaTime;
using NodaTime.Text;

namespace KpiControl.Jobs.Tests.Calendars;

/// <summary>
/// What a calendar does to a schedule, written a second time on NodaTime: from the days it is told, not from a document, and
/// by looking at each day and each slot in turn.
/// </summary>
internal sealed record CalendarOracle
{
    public IReadOnlySet<IsoDayOfWeek> Weekend { get; init; } = new HashSet<IsoDayOfWeek>();
    public IReadOnlySet<LocalDate> Holidays { get; init; } = new HashSet<LocalDate>();
    public IReadOnlySet<LocalDate> WorkingDays { get; init; } = new HashSet<LocalDate>();
    public IReadOnlyList<(LocalDateTime From, LocalDateTime To)> Blackouts { get; init; } = [];

    public bool IsBusiness(LocalDate day) => WorkingDays.Contains(day) || (!Weekend.Contains(day.DayOfWeek) && !Holidays.Contains(day));

    public bool IsWeekend(LocalDate day) => !WorkingDays.Contains(day) && Weekend.Contains(day.DayOfWeek);

    /// <summary>Of the slots of an expression those that are expected, and what becomes of each: <c>fires</c>, <c>holiday</c> or <c>blackout</c>.</summary>
    public List<(DateTimeOffset Slot, string Fate)> Fates(IEnumerable<DateTimeOffset> slots, DateTimeZone zone) =>
        [.. slots.Select(slot => (slot, Local: Instant.FromDateTimeOffset(slot).InZone(zone).Date)).Where(s => !IsWeekend(s.Local))
            .Select(s => (s.slot, !IsBusiness(s.Local) ? "holiday" : Blackouts.Any(b => IsWithin(s.slot, b, zone)) ? "blackout" : "fires"))];

    /// <summary>The slots of a rule of business days in (from, to].</summary>
    /// <param name="ends">The last day of every period, in order, one period before the first asked of.</param>
    public List<DateTimeOffset> Slots(IReadOnlyList<LocalDate> ends, string count, bool after, LocalTime at, DateTimeZone zone, Instant from, Instant to)
    {
        var slots = new List<DateTimeOffset>();
        for (var i = 1; i < ends.Count; i++)
            if (DayOf(ends[i - 1].PlusDays(1), ends[i], count, after) is { } day && Place(day.At(at), zone) is var slot && slot > from && slot <= to)
                slots.Add(slot.ToDateTimeOffset());
        return [.. slots.Order().Distinct()];
    }

    private LocalDate? DayOf(LocalDate first, LocalDate last, string count, bool after)
    {
        var days = new List<LocalDate>();
        if (after)
            for (var day = last.PlusDays(1); days.Count < 40; day = day.PlusDays(1))
                if (IsBusiness(day)) days.Add(day);
        for (var day = first; !after && day <= last; day = day.PlusDays(1))
            if (IsBusiness(day)) days.Add(day);
        var index = count.StartsWith('L') ? days.Count - 1 - (count.Length > 1 ? int.Parse(count[2..], CultureInfo.InvariantCulture) : 0) : int.Parse(count, CultureInfo.InvariantCulture) - 1;
        return index >= 0 && index < days.Count ? days[index] : null;
    }

    private static bool IsWithin(DateTimeOffset slot, (LocalDateTime From, LocalDateTime To) blackout, DateTimeZone zone) =>
        Instant.FromDateTimeOffset(slot) is var at && at >= Place(blackout.From, zone) && at < Place(blackout.To, zone);

    private static Instant Place(LocalDateTime local, DateTimeZone zone) =>
        zone.MapLocal(local) is { } mapping && mapping.Count == 0 ? mapping.EarlyInterval.End : zone.MapLocal(local).First().ToInstant();

    /// <summary>As a document.</summary>
    public string ToYaml(string fiscal = "") => $"""
        calendar: oracle
        weekend: [{string.Join(", ", Weekend.Select(day => day.ToString().ToLowerInvariant()))}]
        holidays: [{string.Join(", ", Holidays.Select(day => $"{{ date: {LocalDatePattern.Iso.Format(day)}, name: H }}"))}]
        working_days: [{string.Join(", ", WorkingDays.Select(day => $"{{ date: {LocalDatePattern.Iso.Format(day)}, name: W }}"))}]
        blackouts: [{string.Join(", ", Blackouts.Select(b => $"{{ from: {b.From:uuuu-MM-dd'T'HH:mm}, to: {b.To:uuuu-MM-dd'T'HH:mm}, reason: B }}"))}]
        {fiscal}
        """;
}
