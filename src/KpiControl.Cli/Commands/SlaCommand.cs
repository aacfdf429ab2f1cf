using System.CommandLine;
using System.Globalization;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class SlaCommand
{
    private static readonly Argument<string?> Job = new("JOB") { Description = "Only of this job", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> State = new("--state") { Description = "Only of this state: pass, warn, breach or off", HelpName = "STATE" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many", HelpName = "N", DefaultValueFactory = _ => 200 };
    private static readonly Option<string?> Month = new("--month") { Description = "The month, as 2026-11; absent: the one that runs", HelpName = "MONTH" };
    private static readonly Option<string?> By = new("--by") { Description = "binding (default), tenant or criticality", HelpName = "WHAT" };

    public static Command Create()
    {
        var command = new Command("sla", "How the promises of jobs stand, and how a month was") { Job }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, State, Limit, SharedOptions.Output).Does(List);
        command.Add(new Command("report", "Percent met and error budget of a month")
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Month, By, Limit, SharedOptions.Output).Does(Report));
        return command;
    }

    private static async Task<int> List(Session session)
    {
        var binding = session.Value(Job) is { } job ? (await session.Jobs.GetJobAsync(JobAddress.Parse(job, session.Target).Get(), session.Call)).BindingId : 0;
        var all = new ListSlaStatesResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Alerts.ListSlaStatesAsync(new ListSlaStatesRequest
            {
                Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", BindingId = binding, State = session.Value(State) ?? "", PageSize = size, PageToken = token,
            }, session.Call);
            all.Clocks.AddRange(page.Clocks);
            all.NextPageToken = page.NextPageToken;
            return (page.Clocks.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => Print(session, all.Clocks), () => all.Clocks.Select(NameOf));
        return ExitCode.Done;
    }

    private static void Print(Session session, IReadOnlyCollection<SlaClock> clocks)
    {
        if (clocks.Count == 0)
        {
            session.World.Error.WriteLine("no clocks: no job there promises anything (sla of its artifact)");
            return;
        }
        var now = session.World.Clock.GetUtcNow();
        var table = new TextTable("JOB", "CLOCK", "STATE", "WARNS", "BREACHES", "GOOD THROUGH", "EPISODE", "CRITICALITY");
        foreach (var clock in clocks)
            table.Row(NameOf(clock), clock.Clock, Cell.Status(clock.State), Time(clock.WarnAt), Time(clock.BreachAt), Time(clock.GoodThrough),
                clock.EpisodeId == 0 ? "-" : clock.EpisodeId.ToString(CultureInfo.InvariantCulture), clock.Criticality);
        table.WriteTo(session.World);

        string Time(Google.Protobuf.WellKnownTypes.Timestamp? at) => session.Answer.Wide ? Ages.Absolute(at) : Ages.Relative(at, now);
    }

    private static string NameOf(SlaClock clock) => $"{clock.Tenant}/{clock.Environment}/{clock.JobId}";

    private static async Task<int> Report(Session session)
    {
        var all = new ReportSlaResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Alerts.ReportSlaAsync(new ReportSlaRequest
            {
                Tenant = session.Target.Tenant ?? "", Environment = session.Target.Environment ?? "", Month = session.Value(Month) ?? "", GroupBy = session.Value(By) ?? "", PageSize = size, PageToken = token,
            }, session.Call);
            all.Figures.AddRange(page.Figures);
            (all.Month, all.Objective, all.NextPageToken) = (page.Month, page.Objective, page.NextPageToken);
            return (page.Figures.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => Print(session, all), () => all.Figures.Select(figure => figure.Key));
        return ExitCode.Done;
    }

    private static void Print(Session session, ReportSlaResponse report)
    {
        session.World.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{report.Month}, objective {report.Objective:0.###} %"));
        var table = new TextTable("TENANT", "OF", "CLOCK", "MET %", "MISSED", "OF", "BUDGET LEFT", "BREACHES").Numeric(3, 4, 5, 6, 7);
        foreach (var figure in report.Figures)
            table.Row(figure.Tenant, figure.Key.Length == 0 ? "all" : figure.Key, figure.Clock, figure.PercentMet.ToString("0.000", CultureInfo.InvariantCulture),
                Amount(figure.Missed, figure.Unit), Amount(figure.Total, figure.Unit), Amount(figure.BudgetLeft, figure.Unit), figure.Breaches);
        table.WriteTo(session.World);
    }

    private static string Amount(double amount, string unit) => unit == "seconds"
        ? (amount < 0 ? "-" : "") + Ages.Span(TimeSpan.FromSeconds(Math.Abs(amount)))
        : string.Create(CultureInfo.InvariantCulture, $"{amount:0.#} runs");
}
