using System.CommandLine;
using KpiControl.Cli.Authoring;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Cli.Plans;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>plan and diff: what applying a set of artifacts would do.</summary>
internal static class PlanCommand
{
    private static readonly Argument<string[]> Paths = new("PATH") { Description = "Artifacts, or directories of them with all that is below", Arity = ArgumentArity.OneOrMore };
    private static readonly Option<bool> Detailed = new("--detailed-exitcode") { Description = "Exit with 0 where there is nothing to do, 3 where there is, 1 on an error" };

    public static Command Create() =>
        new Command("plan", "Show what applying artifacts would do: to definitions, fire times, promises and dependents, and whose approval it needs") { Paths }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, PlanOptions.Region, PlanOptions.Source, PlanOptions.Prune, Detailed, PlanOptions.Output)
            .Does(session => Plan(session, differencesOnly: false));

    public static Command Diff() =>
        new Command("diff", "Show the fields that applying artifacts would change; exits with 0 where there are none, 3 where there are, 1 on an error") { Paths }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, PlanOptions.Region, PlanOptions.Source, PlanOptions.Prune, PlanOptions.Output)
            .Does(session => Plan(session, differencesOnly: true));

    private static async Task<int> Plan(Session session, bool differencesOnly)
    {
        var files = JobFiles.Read(session.Value(Paths)!);
        files.TellIgnored(session.World);
        var plan = await session.Changes.PlanJobsAsync(PlanOptions.Request(session, files), session.CallWithin(session.Value(SharedOptions.Timeout) ?? TimeSpan.FromMinutes(2)));
        var names = new JobNames(files.Paths);
        foreach (var job in plan.Jobs)
            FindingLines.Print(session.World.Error, names.FileOf(job), job.Findings);
        Print(session, plan, names, differencesOnly);
        return plan.Jobs.Any(job => job.Action == "invalid") ? ExitCode.Failed
            : (differencesOnly || session.Value(Detailed)) && plan.Jobs.Any(PlanWords.IsChange) ? ExitCode.Differs : ExitCode.Done;
    }

    private static void Print(Session session, Plan plan, JobNames names, bool differencesOnly)
    {
        var text = new PlanText(session.World, names);
        if (session.Value(PlanOptions.Output) == OutputFormat.Markdown)
            new PlanMarkdown(session.World.Out, names).Write(plan);
        else
            new Answer(session.World, session.Value(PlanOptions.Output)).Print(plan, () =>
            {
                if (differencesOnly)
                    text.PrintDifferences(plan);
                else
                    text.Print(plan);
            }, () => plan.Jobs.Where(PlanWords.IsChange).Select(job => job.JobId));
    }
}
