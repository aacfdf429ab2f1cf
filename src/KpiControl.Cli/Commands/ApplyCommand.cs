using System.CommandLine;
using Grpc.Core;
using KpiControl.Cli.Authoring;
using KpiControl.Cli.Connection;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Cli.Plans;

namespace KpiControl.Cli.Commands;

internal static class ApplyCommand
{
    private static readonly Option<string[]> Files = new("--file", "-f")
    { Description = "One after the other, each by itself: an artifact, or a directory of them; repeatable", HelpName = "FILE|DIR", AllowMultipleArgumentsPerToken = true };
    private static readonly Argument<string[]> Paths = new("PATH") { Description = "All at once or not at all: artifacts, or directories of them with all that is below", Arity = ArgumentArity.ZeroOrMore };

    // The server decides on each by itself; more at once only queue there.
    private const int AtOnce = 8;

    public static Command Create() =>
        new Command("apply", "Create jobs from their artifacts, or rebind the ones whose meaning changed; twice is the same as once") { Paths }
            .Online().With(Files, SharedOptions.Recursive, SharedOptions.Tenant, SharedOptions.Environment, PlanOptions.Region, PlanOptions.Plan, PlanOptions.PlanDigest,
                PlanOptions.Source, PlanOptions.Prune, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output)
            .Does(Apply);

    private static async Task<int> Apply(Session session)
    {
        var (paths, files) = (session.Value(Paths) ?? [], session.Value(Files) ?? []);
        if (paths.Length > 0 == files.Length > 0)
            throw new Refusal(paths.Length > 0 ? "PATH and --file do not go together" : "nothing is named that could be applied", "name a file or a directory: kpictl apply PATH");
        if (paths.Length == 0)
            return session.Has(PlanOptions.Plan) || session.Has(PlanOptions.PlanDigest) || session.Has(PlanOptions.Source) || session.Has(PlanOptions.Prune)
                ? throw new Refusal("--plan, --plan-digest, --source and --prune are of a whole set", "name it as PATH instead of --file")
                : await ApplyEach(session);
        var set = JobFiles.Read(paths);
        set.TellIgnored(session.World);
        return await new SetApplication(session, set).Run();
    }

    private static async Task<int> ApplyEach(Session session)
    {
        var files = FileSet.Of(session.Value(Files)!, session.Value(SharedOptions.Recursive));
        var order = ApplyOrder.Of(files);
        var dryRun = session.Value(SharedOptions.DryRun);
        // Several files are rehearsed first, so that a mistake in the last does not leave half of them applied.
        if (files.Count > 1 && !dryRun && await Outcomes(session, files, order, validateOnly: true) is { Failed: true } rehearsal)
        {
            rehearsal.PrintFailures(session);
            throw new Refusal($"nothing was applied: {rehearsal.Failures} of {files.Count} files would be refused", "mend them and apply again", ExitCode.Failed);
        }
        var outcomes = await Outcomes(session, files, order, dryRun);
        outcomes.PrintFailures(session);
        outcomes.Print(session, dryRun);
        return outcomes.ExitCode;
    }

    private static async Task<ApplyOutcomes> Outcomes(Session session, IReadOnlyList<string> files, ApplyOrder order, bool validateOnly)
    {
        var target = new JobPlacement(session, session.Target.Environment ?? "dev", session.Value(PlanOptions.Region) ?? "", validateOnly);
        var outcomes = new ApplyOutcome[files.Count];
        var many = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = session.Token };
        foreach (var wave in order.Waves)
            await Parallel.ForEachAsync(wave, many, async (i, _) => outcomes[i] = await Place(target, files[i]));
        return new ApplyOutcomes(outcomes, finding => validateOnly && order.Answers(finding));
    }

    private static async Task<ApplyOutcome> Place(JobPlacement target, string file)
    {
        try
        {
            return await target.Place(file);
        }
        catch (RpcException refused) when (RpcFailure.IsAboutTheRequest(refused))
        {
            return new ApplyOutcome(file) { Refused = refused };
        }
        catch (Refusal refusal)
        {
            return new ApplyOutcome(file) { Refusal = refusal };
        }
    }
}
