using System.CommandLine;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Cli.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class DescribeCommand
{
    private static readonly Argument<string> Subject = new("JOB|run/ID") { Description = "A job as in get, or a run: run/ID" };

    public static Command Create() =>
        new Command("describe", "Everything about a job with its latest runs, or about a run with its values") { Subject }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, RunsCommand.Points, SharedOptions.Output)
            .Does(session => RunAddress.Of(session.Value(Subject)!) is { } run ? RunsCommand.Detail(session, run) : Describe(session));

    private static async Task<int> Describe(Session session)
    {
        var job = await session.Jobs.GetJobAsync(JobAddress.Parse(session.Value(Subject)!, session.Target).Get(), session.Call);
        if (!session.Answer.ForPeople)
        {
            session.Answer.Print(job, () => { }, () => [JobAddress.NameOf(job)]);
            return ExitCode.Done;
        }
        var runs = await session.Jobs.ListRunsAsync(new ListRunsRequest { BindingId = job.BindingId, PageSize = 5 }, session.Call);
        JobPage.Print(session.World, job);
        Sheet.Heading(session.World, "LATEST RUNS");
        if (runs.Runs.Count == 0)
            session.World.Out.WriteLine($"none yet; start one with: kpictl trigger {JobAddress.NameOf(job)} --wait");
        else
            RunTable.Print(session.World, runs.Runs, session.Answer.Wide);
        return ExitCode.Done;
    }
}
