using System.CommandLine;
using KpiControl.Cli.Authoring;
using KpiControl.Cli.Options;
using KpiControl.Cli.Plans;

namespace KpiControl.Cli.Commands;

internal static class ApplyCommand
{
    private static readonly Option<string[]> Files = new("--file", "-f") { Description = "The same as PATH; repeatable", HelpName = "FILE|DIR", AllowMultipleArgumentsPerToken = true };
    private static readonly Argument<string[]> Paths = new("PATH") { Description = "Artifacts, or directories of them with all that is below", Arity = ArgumentArity.ZeroOrMore };

    public static Command Create() =>
        new Command("apply", "Create jobs from their artifacts, or rebind the ones whose meaning changed, all at once or not at all; twice is the same as once") { Paths }
            .Online().With(Files, SharedOptions.Tenant, SharedOptions.Environment, PlanOptions.Region, PlanOptions.Plan, PlanOptions.PlanDigest,
                PlanOptions.Source, PlanOptions.Prune, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output)
            .Does(Apply);

    private static async Task<int> Apply(Session session)
    {
        string[] paths = [.. session.Value(Paths) ?? [], .. session.Value(Files) ?? []];
        if (paths.Length == 0)
            throw new Refusal("nothing is named that could be applied", "name a file or a directory: kpictl apply PATH");
        var set = JobFiles.Read(paths);
        set.TellIgnored(session.World);
        return await new SetApplication(session, set).Run();
    }
}
