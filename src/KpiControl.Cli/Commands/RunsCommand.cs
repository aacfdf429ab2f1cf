using System.CommandLine;
using System.Globalization;
using Grpc.Core;
using KpiControl.Cli.Options;
using KpiControl.Cli.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class RunsCommand
{
    public static readonly Option<int> Points = new("--points")
    {
        Description = "How many of a run's values to show, the latest first to be kept: a number, all or none", HelpName = "N",
        DefaultValueFactory = _ => 24,
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (text is "all" or "none")
                return text == "all" ? int.MaxValue : 0;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                return number;
            result.AddError($"--points {text} is neither a number nor all nor none");
            return 0;
        },
    };

    private static readonly Argument<string?> Subject = new("JOB|RUN_ID")
    {
        Description = "A job: its runs. A run's number, run/ID or attempt id: that run, with values, lineage and evidence. Absent: everybody's runs",
        Arity = ArgumentArity.ZeroOrOne,
    };

    public static Command Create() =>
        new Command("runs", "List a job's runs, or show one run with its values, lineage and evidence") { Subject }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment)
            .With(HistoryCommand.ListOptions).With(Points, SharedOptions.Output)
            .Does(session => session.Value(Subject) is not { } subject ? HistoryCommand.List(session, null)
                : (RunAddress.Of(subject) ?? RunAddress.Number(subject)) is { } run ? Detail(session, run)
                : HistoryCommand.List(session, subject));

    public static async Task<int> Detail(Session session, GetRunRequest run)
    {
        try
        {
            Print(session, await session.Jobs.GetRunAsync(run, session.Call));
            return ExitCode.Done;
        }
        catch (RpcException absent) when (absent.StatusCode == StatusCode.NotFound && run.RunId > 0)
        {
            throw new Refusal($"there is no run {run.RunId}", $"if it is a binding's number: kpictl history {run.RunId}", ExitCode.Failed);
        }
    }

    public static void Print(Session session, RunDetail detail) => session.Answer.Print(
        detail, () => RunPage.Print(session.World, detail, session.Value(Points)), () => [RunAddress.Name(detail.Run)]);
}
