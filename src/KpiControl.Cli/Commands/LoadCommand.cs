using System.CommandLine;
using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>How many runs will be due when, and where to spread.</summary>
internal static class LoadCommand
{
    private const int BarWidth = 40, MostNamed = 10, MinutesOfARow = 60;

    private static readonly Option<string?> Region = new("--region") { Description = "Only of this region", HelpName = "REGION" };
    private static readonly Option<int> Hours = new("--hours") { Description = "How far to look, at most 168", HelpName = "N", DefaultValueFactory = _ => 24 };
    private static readonly Option<string?> From = new("--from") { Description = "From this instant; absent: now", HelpName = "TIME" };

    public static Command Create() =>
        new Command("load", "How many runs are due per minute in the next hours, what makes the peaks, and where to spread")
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Region, Hours, From, SharedOptions.Output).Does(Load);

    private static async Task<int> Load(Session session)
    {
        var hours = session.Value(Hours);
        if (hours is < 1 or > 168)
            throw new Refusal($"--hours {hours} is not between 1 and 168");
        var map = await session.Monitor.GetLoadMapAsync(new GetLoadMapRequest
        {
            Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", Region = session.Value(Region) ?? "", Hours = hours,
            From = session.Value(From) is { } text ? Timestamp.FromDateTimeOffset(Times.Instant(text, "--from", session.World.Clock)) : null,
        }, session.Call);
        session.Answer.Print(map, () => Print(session, map), () => map.Places.Select(NameOf));
        return ExitCode.Done;
    }

    private static void Print(Session session, LoadMap map)
    {
        if (map.Places.Count == 0)
            session.World.Error.WriteLine("no active job there has a schedule: nothing will be due");
        foreach (var place in map.Places)
        {
            Say(session, string.Create(CultureInfo.InvariantCulture, $"{NameOf(place)}: {place.Runs} runs of {place.Jobs} jobs until {Ages.Absolute(map.Until)}, {place.MeanRuns:0.##} a minute{Paused(place)}; {place.PeakRuns} in one minute are a peak"));
            Histogram(map, place).WriteTo(session.World);
            session.World.Out.Flush();
            foreach (var peak in place.Peaks)
                Say(session, string.Create(CultureInfo.InvariantCulture, $"peak at {Ages.Absolute(peak.At)}: {peak.Runs} runs of {peak.Jobs} jobs, {Names(peak.JobIds, peak.Jobs)}"));
            foreach (var advice in place.Advice)
                Say(session, string.Create(CultureInfo.InvariantCulture, $"advice: {advice.Text} The jobs: {Names(advice.JobIds, advice.Jobs)}"));
            if (place.Peaks.Count > 0 && place.Advice.Count == 0)
                Say(session, "no advice: no spread of these jobs takes a quarter off a peak; those that run every few minutes are there in every minute");
        }
    }

    // A row an hour: its runs, its highest minute, and where that is.
    private static TextTable Histogram(LoadMap map, LoadPlace place)
    {
        var table = new TextTable("FROM", "RUNS", "HIGHEST", "AT", "").Numeric(1, 2);
        var highest = place.Minutes.DefaultIfEmpty(0).Max();
        for (var first = 0; first < place.Minutes.Count; first += MinutesOfARow)
        {
            var minutes = place.Minutes.Skip(first).Take(MinutesOfARow).ToList();
            var most = minutes.Max();
            table.Row(Minute(map, first), minutes.Sum(), most, most == 0 ? "-" : Minute(map, first + minutes.IndexOf(most)),
                new Cell(new string('█', highest == 0 ? 0 : (int)Math.Ceiling(most * BarWidth / (double)highest)), most >= place.PeakRuns ? "yellow" : null));
        }
        return table;
    }

    private static string Minute(LoadMap map, int minute) => map.From.ToDateTimeOffset().AddMinutes(minute).UtcDateTime.ToString("MM-dd HH:mm'Z'", CultureInfo.InvariantCulture);

    private static string Names(IReadOnlyCollection<string> names, int all) =>
        string.Join(", ", names.Take(MostNamed)) + (all > Math.Min(MostNamed, names.Count) ? string.Create(CultureInfo.InvariantCulture, $" and {all - Math.Min(MostNamed, names.Count)} more (-o json)") : "");

    private static string Paused(LoadPlace place) => place.PausedJobs == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" ({place.PausedJobs} of the jobs are paused throughout)");

    private static string NameOf(LoadPlace place) => $"{place.Tenant}/{place.Environment} in {place.Region}";

    private static void Say(Session session, string line) => session.World.Error.WriteLine(Talk.OneLine(line));
}
