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
    public static RootCommand Create(Surroundings world)
    {
        var root = new RootCommand("kpictl: author KPI jobs, place them, and see what became of them.")
        {
            InitCommand.Create(world), ValidateCommand.Create(world), HashCommand.Create(world), SchemaCommand.Create(world),
            PlanCommand.Create(world), PlanCommand.Diff(world), ApplyCommand.Create(world), GetCommand.Create(world), DescribeCommand.Create(world),
            RunsCommand.Create(world), HistoryCommand.Create(world), LineageCommand.Create(world),
            TriggerCommand.Create(world), CancelCommand.Create(world), PauseCommand.Create(world), ResumeCommand.Create(world), OverrideCommand.Create(world),
            BackfillCommand.Create(world), ReplayCommand.Create(world), PreviewCommand.Create(world), ExplainCommand.Create(world), WatchCommand.Create(world),
            ChangesCommand.Create(world), ChangeDecisionCommands.Propose(world), ChangeDecisionCommands.Approve(world), ChangeDecisionCommands.Reject(world),
            ChangeDecisionCommands.Withdraw(world), ChangeDecisionCommands.Release(world), PromotionCommands.Promote(world), PromotionCommands.RollBack(world),
            DriftCommand.Create(world),
            ContractsCommand.Create(world), CalendarsCommand.Create(world),
            SignalCommand.Create(world),
            AgentsCommand.Create(world),
            TenantsCommand.Create(world),
            PoliciesCommand.Create(world),
            EpochCommand.Create(world),
            AuditCommand.Create(world), EvidenceCommand.Create(world),
            SlaCommand.Create(world),
            AlertsCommand.Create(world),
            DoctorCommand.Create(world),
            LoginCommand.Create(world), LoginCommand.CreateLogout(world),
            VersionCommand.Create(world), CompletionCommand.Create(world),
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
            return Talk.Refused(world, refusal) is var exit && exit == ExitCode.UsageOrCancelled ? Misuse(args) : exit;
        }
        catch (Exception caught) when (token.IsCancellationRequested && caught is OperationCanceledException or RpcException)
        {
            world.Error.WriteLine("cancelled");
            return Misuse(args);
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

    // From plan and diff a 2 says that something differs: a slip on the command line must not say that.
    private static int Misuse(string[] args) => args is ["plan" or "diff", ..] ? ExitCode.Failed : ExitCode.UsageOrCancelled;

    private static async Task<int> Invoke(string[] args, Surroundings world, CancellationToken token)
    {
        // No response files: an argument that begins with @ is a value like any other.
        var parsed = Create(world).Parse(args.Length == 0 ? ["--help"] : args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        var asksForHelp = parsed.Action is HelpAction || parsed.Tokens is [{ Type: TokenType.Directive }, ..];
        if (!asksForHelp && Talk.Mistakes(parsed) is { Length: > 0 } mistakes)
        {
            Talk.Misused(world, parsed, mistakes);
            return Misuse(args);
        }
        var configuration = new InvocationConfiguration
        {
            Output = world.Out, Error = world.Error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null,
        };
        return await parsed.InvokeAsync(configuration, token);
    }
}
