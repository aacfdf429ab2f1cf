using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Calendars;

/// <summary>Which fire times a version moves, for people.</summary>
internal static class CalendarMoveTable
{
    private const int Shown = 3;

    public static void Print(Surroundings world, Protocol.V1.Calendar calendar)
    {
        var table = new TextTable("JOB", "GONE", "NEW", "FIRST_GONE", "FIRST_NEW", "NEXT_BEFORE", "NEXT_AFTER");
        foreach (var move in calendar.Moves)
            table.Row($"{move.Environment}/{move.JobId}", Count(move.RemovedCount), Count(move.AddedCount), First(move.Removed), First(move.Added), Next(move.Before), Next(move.After));
        table.WriteTo(world);
    }

    private static string Count(int count) => count.ToString(CultureInfo.InvariantCulture);

    private static string First(IEnumerable<Timestamp> instants) => string.Join(' ', instants.Take(Shown).Select(Ages.Absolute));

    private static string Next(IEnumerable<FireTime> fires) => fires.FirstOrDefault() is { } fire ? fire.Local : "never";
}
