using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Grpc.Core;
using KpiControl.Cli.Commands;
using KpiControl.Cli.Output;

namespace KpiControl.Cli;

/// <summary>The table of contents, and the one place where a command's failure becomes words and an exit code.</summary>
internal static class Kpictl
{
    // Once for the process: the options are static, and each tree that holds one is a parent more, which the library goes through.
    private static readonly RootCommand Root = Create();

    private static RootCommand Create()
    {
        var root = new RootCommand("kpictl: author KPI jobs, place them, and see what became of them.")
        {
            InitCommand.Create(), ValidateCommand.Create(), HashCommand.Create(), SchemaCommand.Create(),
            PlanCommand.Create(), PlanCommand.Diff(), ApplyCommand.Create(), GetCommand.Create(), DescribeCommand.Create(),
            RunsCommand.Create(), HistoryCommand.Create(), LineageCommand.Create(),
            TriggerCommand.Create(), CancelCommand.Create(), PauseCommand.Create(), ResumeCommand.Create(), OverrideCommand.Create(),
            BackfillCommand.Create(), ReplayCommand.Create(), RestatementsCommand.Create(), PreviewCommand.Create(), ExplainCommand.Create(), WatchCommand.Create(),
            ChangesCommand.Create(), ChangeDecisionCommands.Propose(), ChangeDecisionCommands.Approve(), ChangeDecisionCommands.Reject(),
            ChangeDecisionCommands.Withdraw(), ChangeDecisionCommands.Release(), PromotionCommands.Promote(), PromotionCommands.RollBack(),
            DriftCommand.Create(), ReconcileCommand.Create(),
            ContractsCommand.Create(), CalendarsCommand.Create(),
            SignalCommand.Create(),
            AgentsCommand.Create(),
            TenantsCommand.Create(),
            PoliciesCommand.Create(),
            EpochCommand.Create(),
            AuditCommand.Create(), EvidenceCommand.Create(),
            TopCommand.Create(), LoadCommand.Create(),
            SlaCommand.Create(),
            AlertsCommand.Create(),
            DoctorCommand.Create(),
            LoginCommand.Create(), LoginCommand.CreateLogout(),
            VersionCommand.Create(), CompletionCommand.Create(),
        };
        foreach (var option in root.Options.OfType<VersionOption>().ToArray())
            root.Options.Remove(option);
        // The library's other spellings are another system's, and would be offered as completions.
        foreach (var spelling in new[] { "/h", "/?", "-?" })
            root.Options.OfType<HelpOption>().Single().Aliases.Remove(spelling);
        return root;
    }

    public static async Task<int> Run(string[] args, Surroundings world, CancellationToken token)
    {
        try
        {
            var exit = await Invoke(args, world, token);
            await world.Out.FlushAsync(token);
            return exit;
        }
        catch (Refusal refusal)
        {
            return Talk.Refused(world, refusal);
        }
        catch (Exception caught) when (token.IsCancellationRequested && caught is OperationCanceledException or RpcException)
        {
            world.Error.WriteLine("cancelled");
            return ExitCode.UsageOrCancelled;
        }
        catch (IOException broken) when (broken.InnerException is System.Net.Sockets.SocketException || broken.HResult == BrokenPipe)
        {
            // The reader went away (`kpictl get | head`): nobody is left to tell.
            return ExitCode.Failed;
        }
        catch (Exception unexpected)
        {
            world.Error.WriteLine($"error: kpictl failed unexpectedly: {unexpected.GetType().Name}: {Talk.OneLine(unexpected.Message)}");
            world.Error.WriteLine("  next: this is a defect of kpictl; please report it with the command line");
            return ExitCode.Failed;
        }
    }

    private const int BrokenPipe = 32;

    private static async Task<int> Invoke(string[] args, Surroundings world, CancellationToken token)
    {
        // No response files: an argument that begins with @ is a value like any other.
        var parsed = Root.Parse(args.Length == 0 ? ["--help"] : args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        var asksForHelp = parsed.Action is HelpAction || parsed.Tokens is [{ Type: TokenType.Directive }, ..];
        if (!asksForHelp && Talk.Mistakes(parsed) is { Length: > 0 } mistakes)
        {
            Talk.Misused(world, parsed, mistakes);
            return ExitCode.UsageOrCancelled;
        }
        return await parsed.InvokeAsync(new Invocation(world) { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, token);
    }
}

/// <summary>One call of kpictl, with the streams, variables and clock of its caller.</summary>
internal sealed class Invocation : InvocationConfiguration
{
    public Invocation(Surroundings world) => (World, Output, Error) = (world, world.Out, world.Error);

    public Surroundings World { get; }
}
