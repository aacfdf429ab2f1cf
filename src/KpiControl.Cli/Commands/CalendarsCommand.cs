using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using KpiControl.Cli.Authoring;
using KpiControl.Cli.Calendars;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;
using Calendar = KpiControl.Protocol.V1.Calendar;

namespace KpiControl.Cli.Commands;

internal static class CalendarsCommand
{
    private static readonly Argument<string?> Only = new("NAME") { Description = "All versions of this one; absent: the latest of each", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Argument<string> Which = new("NAME[@VERSION]") { Description = "A calendar, such as target or target@2; without a version the latest" };
    private static readonly Argument<string> File = new("FILE") { Description = "A calendar in YAML or JSON" };
    private static readonly Argument<string> IcalFile = new("FILE.ics") { Description = "An iCalendar file; its all-day events become holidays" };
    private static readonly Option<string> Name = new("--name") { Description = "Of the calendar", HelpName = "NAME", Required = true };
    private static readonly Option<int?> From = new("--from") { Description = "The first year to write repetitions out for; absent: this one", HelpName = "YEAR" };
    private static readonly Option<int?> To = new("--to") { Description = "The last year; absent: nine after the first", HelpName = "YEAR" };
    private static readonly Option<bool> AndPut = new("--put") { Description = "Store it as well; otherwise it is printed" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many", HelpName = "N", DefaultValueFactory = _ => 1000 };

    public static Command Create() => new("calendars", "List, read, store, import and look ahead at calendars")
    {
        new Command("list", "List calendars, or the versions of one") { Only }.Online().With(SharedOptions.Tenant, Limit, SharedOptions.Output).Does(List),
        new Command("show", "Print a calendar as it was written (-o json or yaml: with its digest and version)") { Which }
            .Online().With(SharedOptions.Tenant, SharedOptions.Output).Does(Show),
        new Command("put", "Store a version and move what uses the calendar; --dry-run tells which fire times would move") { File }
            .Online().With(SharedOptions.Tenant, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Yes, SharedOptions.Output).Does(Put),
        new Command("import", "Make a calendar of an iCalendar file") { IcalFile }
            .Online().With(SharedOptions.Tenant, Name, From, To, AndPut, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Yes, SharedOptions.Output).Does(Import),
        CalendarPreview.Command(),
    };

    internal static (string Name, int Version) Parse(string text) => text.Split('@') switch
    {
        [{ Length: > 0 } name] => (name, 0),
        [{ Length: > 0 } name, var version] when int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 => (name, number),
        _ => throw new Refusal($"'{text}' names no calendar", "give NAME or NAME@VERSION, such as target@2 (kpictl calendars list)"),
    };

    internal static string NameOf(Calendar calendar) => FormattableString.Invariant($"{calendar.Name}@{calendar.Version}");

    private static async Task<int> List(Session session)
    {
        var all = new ListCalendarsResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Catalog.ListCalendarsAsync(new ListCalendarsRequest
            {
                Tenant = session.Target.Tenant ?? "", Name = session.Value(Only) ?? "", PageSize = size, PageToken = token,
            }, session.Call);
            all.Calendars.AddRange(page.Calendars);
            all.NextPageToken = page.NextPageToken;
            return (page.Calendars.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => Print(session, all.Calendars), () => all.Calendars.Select(NameOf));
        return ExitCode.Done;
    }

    private static void Print(Session session, IReadOnlyCollection<Calendar> calendars)
    {
        if (calendars.Count == 0)
        {
            session.World.Error.WriteLine("no calendars; store one with: kpictl calendars put FILE");
            return;
        }
        var now = session.World.Clock.GetUtcNow();
        var table = new TextTable("NAME", "VERSION", "JOBS", "DIGEST", "CREATED", "BY", "DESCRIPTION");
        foreach (var calendar in calendars)
            table.Row(calendar.Name, calendar.Version.ToString(CultureInfo.InvariantCulture), calendar.Bindings.ToString(CultureInfo.InvariantCulture),
                session.Answer.Wide ? calendar.Digest : Jobs.JobTable.ShortHash(calendar.Digest), session.Answer.Wide ? Ages.Absolute(calendar.CreatedAt) : Ages.Relative(calendar.CreatedAt, now),
                calendar.CreatedBy, calendar.Description);
        table.WriteTo(session.World);
    }

    private static async Task<int> Show(Session session)
    {
        var (name, version) = Parse(session.Value(Which)!);
        var calendar = await session.Catalog.GetCalendarAsync(new GetCalendarRequest { Tenant = session.Target.Tenant ?? "", Name = name, Version = version }, session.Call);
        session.Answer.Print(calendar, () =>
        {
            session.World.Error.WriteLine($"{NameOf(calendar)}: {calendar.Digest}, {calendar.Bindings} jobs");
            session.World.Out.Write(calendar.Content.EndsWith('\n') ? calendar.Content : calendar.Content + "\n");
        }, () => [NameOf(calendar)]);
        return ExitCode.Done;
    }

    private static Task<int> Put(Session session)
    {
        var file = session.Value(File)!;
        return Store(session, Encoding.UTF8.GetString(FileSet.Read(file)), file.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? "json" : "yaml", file);
    }

    private static Task<int> Import(Session session)
    {
        var (file, first) = (session.Value(IcalFile)!, session.Value(From) ?? session.World.Clock.GetUtcNow().Year);
        var last = session.Value(To) ?? Math.Min(2100, first + 9);
        if (first < 1970 || last > 2100 || last < first || last - first >= IcalImport.MostYears)
            throw new Refusal($"--from {first} --to {last} is no range of at most {IcalImport.MostYears} years from 1970 to 2100", "leave them out for ten years from this one");
        var days = IcalImport.Read(FileSet.Read(file), file, first, last);
        if (days.Holidays.Count == 0)
            throw new Refusal($"{file} has no all-day event from {first} to {last} ({days.LeftOut} events have a time of day or are cancelled)", "give another file, or other years");
        var text = YamlText.Of(Document(session.Value(Name)!, file, first, last, days));
        session.World.Error.WriteLine($"{days.Holidays.Count} holidays from {first} to {last}" + (days.LeftOut > 0 ? $"; {days.LeftOut} events left out: they have a time of day or are cancelled" : ""));
        if (session.Value(AndPut))
            return Store(session, text, "yaml", file);
        session.World.Out.Write(text);
        return Task.FromResult(ExitCode.Done);
    }

    private static JsonObject Document(string name, string file, int first, int last, IcalDays days) => new()
    {
        ["calendar"] = name,
        ["description"] = FormattableString.Invariant($"Imported from {Path.GetFileName(file)}, {first} to {last}"),
        ["holidays"] = new JsonArray([.. days.Holidays.Select(day => day.From == day.To
            ? new JsonObject { ["date"] = IcalImport.Text(day.From), ["name"] = day.Name }
            : new JsonObject { ["from"] = IcalImport.Text(day.From), ["to"] = IcalImport.Text(day.To), ["name"] = day.Name })]),
    };

    private static async Task<int> Store(Session session, string content, string format, string file)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var request = new PutCalendarRequest
        {
            Tenant = session.Target.Tenant ?? "", Format = format, Content = content, Reason = session.Value(SharedOptions.Reason) ?? "",
            ValidateOnly = true,
        };
        var rehearsed = await session.Catalog.PutCalendarAsync(request, session.Call);
        if (!dryRun && rehearsed.Moves.Count > 0 && !session.Value(SharedOptions.Yes))
            CalendarMoveTable.Print(session.World, rehearsed);
        if (!dryRun && rehearsed.Moves.Count > 0 && !Talk.Agreed(session.World, session.Value(SharedOptions.Yes), $"Store {NameOf(rehearsed)} and move these {rehearsed.Moves.Count} jobs?"))
            return Talk.Refused(session.World, new Refusal("not stored"));
        var answer = rehearsed;
        if (!dryRun)
            answer = await session.Catalog.PutCalendarAsync(new PutCalendarRequest(request) { ValidateOnly = false, RequestId = Session.RequestId(false) }, session.Call);
        FindingLines.Print(session.World.Error, file, answer.Findings);
        session.Answer.Print(answer, () => Say(session, answer, dryRun), () => [NameOf(answer)]);
        return ExitCode.Done;
    }

    private static void Say(Session session, Calendar answer, bool dryRun)
    {
        var what = !answer.Created ? "is stored already" : dryRun ? "would be stored (dry run)" : "stored";
        session.World.Out.WriteLine($"{NameOf(answer)} {what}: {answer.Digest}; jobs that use it: {answer.Bindings}, whose fire times {(dryRun ? "would move" : "move")}: {answer.Moves.Count}");
        if (answer.Moves.Count > 0 && (dryRun || session.Value(SharedOptions.Yes)))
            CalendarMoveTable.Print(session.World, answer);
    }
}
