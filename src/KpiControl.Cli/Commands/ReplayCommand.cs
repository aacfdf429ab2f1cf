using System.CommandLine;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Cli.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class ReplayCommand
{
    private static readonly Argument<string> Run = new("RUN") { Description = "run/ID, as runs and history show it" };
    private static readonly Option<string> Definition = new("--definition")
    { Description = "same: the definition that the run had; current: the one in force", HelpName = "WHICH", DefaultValueFactory = _ => "same" };

    static ReplayCommand() => Definition.AcceptOnlyFromAmong("same", "current");

    public static Command Create() =>
        new Command("replay", "Run an occurrence that ended once more, for its own window and business date") { Run }
            .Online().With(Definition, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Replay);

    private static async Task<int> Replay(Session session)
    {
        var name = session.Value(Run)!;
        var address = RunAddress.Of(name) ?? RunAddress.Number(name) ?? throw new Refusal($"'{name}' names no run", "give run/ID with the number that kpictl runs shows");
        var run = (await session.Jobs.GetRunAsync(address, session.Call)).Run;
        var dryRun = session.Value(SharedOptions.DryRun);
        var answer = await session.Jobs.ReplayRunAsync(new ReplayRunRequest
        {
            RunId = run.RunId, Definition = session.Value(Definition)!, Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(answer, () => session.World.Out.WriteLine(
            $"{RunAddress.Name(run)} of {run.JobId} {(dryRun ? "would be replayed (dry run)" : "is replayed")} for {answer.Occurrence.BusinessDate} by revision {answer.Revision}: {answer.Occurrence.SlotKey}"),
            () => [answer.Occurrence.SlotKey]);
        return ExitCode.Done;
    }
}
