using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts.Text;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Jobs.Calendars;

/// <summary>The members of a calendar's document, read with all that is wrong with them; its meaning, and that meaning's one spelling.</summary>
internal sealed class CalendarDocument
{
    private static readonly IReadOnlyList<string> DayNames = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    private static readonly DayOfWeek[] UsualWeekend = [DayOfWeek.Saturday, DayOfWeek.Sunday];

    private readonly FindingList _findings;
    private readonly string _name;
    private readonly string? _description;
    private readonly IReadOnlyList<DayOfWeek> _weekend;
    private readonly IReadOnlyList<HolidayRule> _holidays, _workingDays;
    private readonly FiscalYear? _fiscal;
    private readonly IReadOnlyList<Blackout> _blackouts;
    private readonly IReadOnlyList<ArtifactMember> _extensions;

    public CalendarDocument(ArtifactNode root, FindingList findings)
    {
        _findings = findings;
        var document = new MemberReader(root, root, findings, "calendar");
        _name = document.Text("calendar", required: true) ?? "";
        if (document["calendar"] is { Kind: NodeKind.String } name && !CalendarReader.IsName(name.Text))
            findings.Error("calendar.name", name, "A calendar's name begins with a small letter and has small letters, digits, _ and -, at most 63.");
        _description = document.Text("description");
        _weekend = Weekend(document);
        _holidays = Entries(document, "holidays");
        _workingDays = Entries(document, "working_days");
        _fiscal = document["fiscal"] is null ? null : Fiscal(document.Object("fiscal"));
        _blackouts = Blackouts(document);
        document.RefuseOthers();
        _extensions = [.. root.Members.Where(m => m.Name.StartsWith("x-", StringComparison.Ordinal))];
    }

    public WorkCalendar ToCalendar() => new(_name, _weekend, _holidays, _workingDays, _fiscal, _blackouts) { Description = _description };

    public JsonObject ToCanonical()
    {
        var canonical = new JsonObject { ["calendar"] = _name };
        if (_description is not null) canonical["description"] = _description;
        if (!_weekend.Order().SequenceEqual(UsualWeekend.Order())) canonical["weekend"] = new JsonArray([.. _weekend.Distinct().OrderBy(Number).Select(day => JsonValue.Create(Word(day)))]);
        AddSorted(canonical, "holidays", _holidays.Select(Spelt));
        AddSorted(canonical, "working_days", _workingDays.Select(Spelt));
        if (_fiscal is not null) canonical["fiscal"] = Spelt(_fiscal);
        AddSorted(canonical, "blackouts", _blackouts.Select(b => new JsonObject { ["from"] = b.From, ["to"] = b.To, ["reason"] = b.Reason }));
        foreach (var extension in _extensions) canonical[extension.Name] = extension.Value.ToJson();
        return canonical;
    }

    private static void AddSorted(JsonObject canonical, string name, IEnumerable<JsonObject> entries)
    {
        var sorted = entries.Select(entry => (Entry: entry, Text: Artifacts.Jcs.Write(entry))).DistinctBy(e => e.Text).OrderBy(e => e.Text, StringComparer.Ordinal).ToList();
        if (sorted.Count > 0) canonical[name] = new JsonArray([.. sorted.Select(e => e.Entry)]);
    }

    private static JsonObject Spelt(HolidayRule rule) => rule switch
    {
        DatedHoliday day when day.From == day.To => new JsonObject { ["date"] = Text(day.From), ["name"] = day.Name },
        DatedHoliday days => new JsonObject { ["from"] = Text(days.From), ["to"] = Text(days.To), ["name"] = days.Name },
        YearlyHoliday day => new JsonObject { ["every"] = FormattableString.Invariant($"{day.Month:00}-{day.Day:00}"), ["name"] = day.Name },
        EasterHoliday day => new JsonObject { ["easter"] = day.Offset, ["name"] = day.Name },
        WeekdayHoliday day => new JsonObject { ["weekday"] = Word(day.Weekday), ["nth"] = day.Nth, ["month"] = day.Month, ["name"] = day.Name },
        _ => throw new InvalidOperationException($"{rule} has no spelling."),
    };

    private static JsonObject Spelt(FiscalYear fiscal)
    {
        var spelt = new JsonObject { ["pattern"] = fiscal.Pattern };
        if (fiscal.Pattern != FiscalYear.Months)
            spelt["year_end"] = new JsonObject { ["rule"] = fiscal.Rule, ["weekday"] = Word(fiscal.Weekday), ["month"] = fiscal.EndMonth };
        if (fiscal.Pattern == FiscalYear.Months && fiscal.StartMonth != 1) spelt["year_start"] = fiscal.StartMonth;
        if (fiscal.Close != 0) spelt["close"] = fiscal.Close;
        return spelt;
    }

    private IReadOnlyList<DayOfWeek> Weekend(MemberReader document)
    {
        if (document["weekend"] is not { } node) return UsualWeekend;
        var days = new List<DayOfWeek>();
        foreach (var item in document.Items("weekend", NodeKind.String))
            if (Weekday(item.Text) is { } day) days.Add(day);
            else _findings.Error("calendar.word", item, $"{item.Text} is no weekday.", $"One of {string.Join(", ", DayNames)}.");
        if (days.Distinct().Count() == 7) _findings.Error("calendar.weekend", node, "All seven days are weekend: nothing would ever run.");
        return [.. days.Distinct()];
    }

    private List<HolidayRule> Entries(MemberReader document, string name)
    {
        var items = document.Objects(name);
        if (items.Count > CalendarReader.MostEntries)
            _findings.Error("calendar.limit", document[name]!, $"{name} has {items.Count} entries, at most {CalendarReader.MostEntries} are read.", "Write repeating ones once, as every, easter or weekday.");
        return [.. items.Take(CalendarReader.MostEntries).Select(Entry).OfType<HolidayRule>()];
    }

    private HolidayRule? Entry(MemberReader entry)
    {
        var name = entry.Text("name", required: true) ?? "";
        string[] kinds = [.. new[] { "date", "from", "every", "easter", "weekday" }.Where(kind => entry[kind] is not null)];
        HolidayRule? rule = kinds switch
        {
            ["date"] => Date(entry, "date") is { } day ? new DatedHoliday(day, day, name) : null,
            ["from"] => Range(entry, name),
            ["every"] => Yearly(entry, name),
            ["easter"] => Whole(entry, "easter", -120, 250) is { } offset ? new EasterHoliday(offset, name) : null,
            ["weekday"] => NthWeekday(entry, name),
            _ => OneKind(entry),
        };
        entry.RefuseOthers();
        return rule;
    }

    private HolidayRule? OneKind(MemberReader entry)
    {
        _findings.Error("calendar.entry", entry.At, "An entry says which days it is about in one way: date, from and to, every, easter, or weekday with nth and month.", "As in { date: 2026-05-01, name: Labour Day } or { every: 12-25, name: Christmas Day }.");
        return null;
    }

    private DatedHoliday? Range(MemberReader entry, string name)
    {
        if (Date(entry, "from") is not { } from || Date(entry, "to", required: true) is not { } to) return null;
        if (to < from) _findings.Error("calendar.range", entry["to"]!, $"to ({Text(to)}) lies before from ({Text(from)}).");
        else if (to.DayNumber - from.DayNumber >= CalendarReader.LongestRange) _findings.Error("calendar.range", entry["to"]!, $"A range has at most {CalendarReader.LongestRange} days.");
        else return new DatedHoliday(from, to, name);
        return null;
    }

    private YearlyHoliday? Yearly(MemberReader entry, string name)
    {
        if (entry.Text("every") is not { } text) return null;
        // A leap year has every day there is.
        if (text.Length == 5 && CalendarReader.Date("2000-" + text) is { } day) return new YearlyHoliday(day.Month, day.Day, name);
        _findings.Error("calendar.date", entry["every"]!, $"'{text}' is no day of a year.", "Month and day, as in 12-25.");
        return null;
    }

    private WeekdayHoliday? NthWeekday(MemberReader entry, string name)
    {
        var weekday = Word(entry, "weekday");
        var (nth, month) = (Whole(entry, "nth", -1, 4, required: true), Whole(entry, "month", 1, 12, required: true));
        if (nth == 0) _findings.Error("calendar.number", entry["nth"]!, "nth counts from 1 (the first) to 4; -1 is the last.");
        return weekday is { } day && nth is { } n and not 0 && month is { } m ? new WeekdayHoliday(n, day, m, name) : null;
    }

    private FiscalYear? Fiscal(MemberReader fiscal)
    {
        if (fiscal.Word("pattern", FiscalYear.Patterns, required: true) is not { } pattern) return null;
        FiscalYear? read;
        if (pattern == FiscalYear.Months)
            read = FiscalYear.OfMonths(Whole(fiscal, "year_start", 1, 12) ?? 1, Whole(fiscal, "close", -15, 15) ?? 0);
        else
        {
            var end = fiscal.Object("year_end", required: true);
            var (rule, weekday, month) = (end.Word("rule", ["last", "nearest"], required: true), Word(end, "weekday", required: true), Whole(end, "month", 1, 12, required: true));
            end.RefuseOthers();
            read = rule is not null && weekday is { } day && month is { } m ? FiscalYear.OfWeeks(pattern, rule, day, m) : null;
        }
        fiscal.RefuseOthers();
        return read;
    }

    private List<Blackout> Blackouts(MemberReader document)
    {
        var items = document.Objects("blackouts");
        if (items.Count > CalendarReader.MostBlackouts)
            _findings.Error("calendar.limit", document["blackouts"]!, $"There are {items.Count} blackouts, at most {CalendarReader.MostBlackouts} are read.");
        return [.. items.Take(CalendarReader.MostBlackouts).Select(Blackout).OfType<Blackout>()];
    }

    private Blackout? Blackout(MemberReader entry)
    {
        var (from, to, reason) = (entry.Text("from", required: true), entry.Text("to", required: true), entry.Text("reason", required: true));
        entry.RefuseOthers();
        var isRead = true;
        foreach (var (field, text) in new[] { ("from", from), ("to", to) })
            if (text is not null && !BlackoutTimes.IsWritten(text))
            {
                _findings.Error("calendar.time", entry[field]!, $"'{text}' is no local time and no instant.", "2026-12-31T18:00 (in the zone of the schedule that uses the calendar) or 2026-12-31T17:00Z.");
                isRead = false;
            }
        if (!isRead || from is null || to is null || reason is null) return null;
        if (BlackoutTimes.IsLocal(from) != BlackoutTimes.IsLocal(to))
            _findings.Error("calendar.time", entry["to"]!, "from and to are both local times, or both instants.");
        else if (BlackoutTimes.Compare(from, to) >= 0)
            _findings.Error("calendar.range", entry["to"]!, $"The blackout ends ({to}) no later than it begins ({from}).");
        else return new Blackout(from, to, reason);
        return null;
    }

    private DateOnly? Date(MemberReader entry, string name, bool required = false)
    {
        if (entry.Text(name, required: required) is not { } text) return null;
        if (CalendarReader.Date(text) is { } date) return date;
        _findings.Error("calendar.date", entry[name]!, $"'{text}' is no date from 1970 to 2100.", "Year, month and day, as in 2026-05-01.");
        return null;
    }

    private int? Whole(MemberReader entry, string name, int least, int most, bool required = false)
    {
        if (entry[name] is null && required) entry.Text(name, required: true);
        if (entry.Number(name) is not { } number) return null;
        if (number == Math.Floor(number) && number >= least && number <= most) return (int)number;
        _findings.Error("calendar.number", entry[name]!, $"{name} is a whole number from {least} to {most}.");
        return null;
    }

    private static DayOfWeek? Word(MemberReader entry, string name, bool required = false) => entry.Word(name, DayNames, required) is { } word ? Weekday(word) : null;

    private static DayOfWeek? Weekday(string word) => DayNames.Contains(word) ? Enum.Parse<DayOfWeek>(word, ignoreCase: true) : null;

    private static string Word(DayOfWeek day) => DayNames[Number(day)];

    private static int Number(DayOfWeek day) => ((int)day + 6) % 7;

    private static string Text(DateOnly date) => date.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);
}
