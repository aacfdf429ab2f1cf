using System.CommandLine;
using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Calendars;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Jobs.Calendars;

namespace KpiControl.Cli.Commands;

/// <summary><c>calendars preview</c>: the days that a calendar takes away, and where its fiscal periods close.</summary>
internal static class CalendarPreview
{
    private static readonly Argument<string> Which = new("NAME[@VERSION]|FILE") { Description = "A stored calendar, or a file" };
    private static readonly Option<string?> From = new("--from") { Description = "The first day; absent: today", HelpName = "DATE", CustomParser = Times.DateOption };
    private static readonly Option<int> Days = new("--days") { Description = "How far to look", HelpName = "N", DefaultValueFactory = _ => 366 };

    public static Command Command() =>
        new Command("preview", "The holidays, blackouts and fiscal closes of a calendar, from a day on") { Which }
            .Online().With(SharedOptions.Tenant, From, Days, SharedOptions.Output).Does(Preview);

    private static async Task<int> Preview(Session session)
    {
        var calendar = await Find(session, session.Value(Which)!);
        var first = session.Value(From) is { } text ? DateOnly.ParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture) : DateOnly.FromDateTime(session.World.Clock.GetUtcNow().UtcDateTime);
        var days = session.Value(Days);
        if (days is < 1 or > 3660)
            throw new Refusal($"--days {days} is not between 1 and 3660");
        var rows = Rows(calendar, first, first.AddDays(days)).OrderBy(row => row.Day, StringComparer.Ordinal).ToList();
        session.Answer.Print(Answer(calendar, rows), () => Print(session.World, calendar, first, days, rows), () => rows.Select(row => row.Day));
        return ExitCode.Done;
    }

    private static async Task<WorkCalendar> Find(Session session, string which)
    {
        if (File.Exists(which))
            return CalendarFiles.Read(which);
        var (name, version) = CalendarsCommand.Parse(which);
        return await StoredCalendars.Find(session, session.Target.Tenant ?? "", name, version)
            ?? throw new Refusal($"this kpictl cannot read the calendar {name}", "use the version of the control plane (kpictl version)");
    }

    private static IEnumerable<(string Day, string Kind, string Name)> Rows(WorkCalendar calendar, DateOnly first, DateOnly last)
    {
        for (var day = first; day < last; day = day.AddDays(1))
            if (calendar.Of(day) is { Name: { } name } known)
                yield return (Text(day), known.Kind switch { DayKind.Holiday => "holiday", DayKind.Weekend => "weekend", _ => "working day" }, name);
        foreach (var period in calendar.Periods.Where(p => p.Close >= first && p.Close < last))
            yield return (Text(period.Close), "close", FormattableString.Invariant($"{period.Year} period {period.Number}, from {period.First:yyyy-MM-dd}"));
        foreach (var blackout in calendar.Blackouts.Where(b => string.CompareOrdinal(b.To, Text(first)) >= 0 && string.CompareOrdinal(b.From, Text(last)) < 0))
            yield return (blackout.From, "blackout", $"until {blackout.To}: {blackout.Reason}");
    }

    private static Struct Answer(WorkCalendar calendar, List<(string Day, string Kind, string Name)> rows)
    {
        var answer = new Struct();
        answer.Fields["calendar"] = Value.ForString(calendar.Name);
        answer.Fields["days"] = Value.ForList([.. rows.Select(row =>
        {
            var entry = new Struct();
            entry.Fields["day"] = Value.ForString(row.Day);
            entry.Fields["kind"] = Value.ForString(row.Kind);
            entry.Fields["name"] = Value.ForString(row.Name);
            return Value.ForStruct(entry);
        })]);
        return answer;
    }

    private static void Print(Surroundings world, WorkCalendar calendar, DateOnly first, int days, List<(string Day, string Kind, string Name)> rows)
    {
        var table = new TextTable("DAY", "WEEKDAY", "KIND", "NAME");
        foreach (var (day, kind, name) in rows)
            table.Row(day, DateOnly.TryParseExact(day[..10], "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date) ? date.DayOfWeek.ToString()[..3] : "", kind, name);
        if (rows.Count > 0)
            table.WriteTo(world);
        world.Out.Flush();
        var business = Enumerable.Range(0, days).Count(n => calendar.IsBusinessDay(first.AddDays(n)));
        world.Error.WriteLine(FormattableString.Invariant($"{business} business days in {days} days from {first:yyyy-MM-dd}"));
    }

    private static string Text(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
