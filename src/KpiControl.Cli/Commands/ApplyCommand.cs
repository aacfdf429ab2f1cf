using System.CommandLine;
using Grpc.Core;
using KpiControl.Cli.Authoring;
using KpiControl.Cli.Connection;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;

namespace KpiControl.Cli.Commands;

internal static class ApplyCommand
{
    private static readonly Option<string[]> Files = new("--file", "-f")
    { Description = "An artifact, or a directory of them; repeatable", HelpName = "FILE|DIR", Required = true, AllowMultipleArgumentsPerToken = true };
    private static readonly Option<string?> Region = new("--region")
    { Description = "Where it runs; absent: the tenant's home region", HelpName = "REGION" };

    // The server decides on each by itself; more at once only queue there.
    private const int AtOnce = 8;

    public static Command Create(Surroundings world) =>
        new Command("apply", "Create jobs from their artifacts, or rebind the ones whose meaning changed; twice is the same as once")
            .Online().With(Files, SharedOptions.Recursive, SharedOptions.Environment, Region, SharedOptions.DryRun, SharedOptions.Output)
            .Does(world, Apply);

    private static async Task<int> Apply(Session session)
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
        var target = new JobPlacement(session, session.Target.Environment ?? "dev", session.Value(Region) ?? "", validateOnly);
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
