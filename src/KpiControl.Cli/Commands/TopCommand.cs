using System.CommandLine;
using System.Globalization;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>What everything does now, and how the last hours were.</summary>
internal static class TopCommand
{
    private static readonly Option<string?> Region = new("--region") { Description = "Only of this region", HelpName = "REGION" };
    private static readonly Option<int> Hours = new("--hours") { Description = "Count what ended in so many hours, at most 744", HelpName = "N", DefaultValueFactory = _ => 1 };

    public static Command Create() =>
        new Command("top", "What jobs do now, and what became of what ended, by tenant, environment and region")
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Region, Hours, SharedOptions.Output).Does(Top);

    private static async Task<int> Top(Session session)
    {
        var hours = session.Value(Hours);
        if (hours is < 1 or > 744)
            throw new Refusal($"--hours {hours} is not between 1 and 744");
        var overview = await session.Monitor.GetOverviewAsync(new GetOverviewRequest
        {
            Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", Region = session.Value(Region) ?? "", Hours = hours,
        }, session.Call);
        session.Answer.Print(overview, () => Print(session, overview, hours), () => overview.Places.Select(NameOf));
        return ExitCode.Done;
    }

    private static void Print(Session session, Overview overview, int hours)
    {
        if (overview.Places.Count == 0)
        {
            session.World.Error.WriteLine("no jobs there");
            return;
        }
        var now = new TextTable("WHERE", "JOBS", "RUNNING", "READY", "DUE", "OLDEST", "WAITING", "QUEUED", "PAUSED", "SLA_WARN", "SLA_BREACH").Numeric(1, 2, 3, 4, 6, 7, 8, 9, 10);
        var at = overview.At.ToDateTimeOffset();
        foreach (var place in overview.Places)
            now.Row(NameOf(place), place.Jobs, place.Leased, place.Ready, place.Due, Ages.Relative(place.OldestDueAt, at), place.Waiting, place.Queued, place.Paused,
                Count(place.SlaWarn, "yellow"), Count(place.SlaBreach, "red"));
        now.WriteTo(session.World);
        session.World.Out.WriteLine();
        var ended = new TextTable(string.Create(CultureInfo.InvariantCulture, $"ENDED IN {hours}H"), "SUCCEEDED", "FAILED", "SUPPRESSED", "SKIPPED", "CANCELLED", "LOST TRIES", "SUCCEEDED %", "WITHIN 5M %", "DELAY P95", "TOOK P95")
            .Numeric(1, 2, 3, 4, 5, 6, 7, 8);
        foreach (var place in overview.Places)
            ended.Row(NameOf(place), place.Succeeded, Count(place.Failed, "red"), place.Suppressed, place.Skipped, place.Cancelled, place.Lost,
                place.HasPercentSucceeded ? Percent(place.PercentSucceeded) : "-", place.HasPercentWithin5Minutes ? Percent(place.PercentWithin5Minutes) : "-",
                place.StartDelayP95 is { } delay ? Ages.Span(delay.ToTimeSpan()) : "-", place.TookP95 is { } took ? Ages.Span(took.ToTimeSpan()) : "-");
        ended.WriteTo(session.World);
        if (overview.Places.Any(place => place.Errors.Count > 0))
            Errors(session, overview, at);
    }

    private static void Errors(Session session, Overview overview, DateTimeOffset at)
    {
        session.World.Out.WriteLine();
        var errors = new TextTable("ERRORS", "CATEGORY", "CODE", "ATTEMPTS", "JOBS", "LAST").Numeric(3, 4);
        foreach (var place in overview.Places)
            foreach (var error in place.Errors)
                errors.Row(NameOf(place), error.ErrorCategory, error.ErrorCode.Length > 0 ? error.ErrorCode : "-", error.Attempts, error.Jobs, Ages.Relative(error.LastAt, at));
        errors.WriteTo(session.World);
    }

    private static Cell Count(long count, string style) => new(count.ToString(CultureInfo.InvariantCulture), count > 0 ? style : null);

    private static string Percent(double percent) => percent.ToString("0.00", CultureInfo.InvariantCulture);

    private static string NameOf(OverviewPlace place) => $"{place.Tenant}/{place.Environment} in {place.Region}";
}
