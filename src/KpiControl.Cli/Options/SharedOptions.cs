using System.CommandLine;
using Grpc.Core;
using KpiControl.Cli.Connection;
using KpiControl.Cli.Output;

namespace KpiControl.Cli.Options;

/// <summary>Options that several commands share: the same name means the same thing everywhere.</summary>
internal static class SharedOptions
{
    public static readonly Option<string?> Server = new("--server")
    { Description = "The control plane's address; plain http on loopback only [KPICTL_SERVER]", HelpName = "URL" };

    public static readonly Option<string?> Context = new("--context")
    { Description = "A context of the configuration file [KPICTL_CONTEXT]", HelpName = "NAME" };

    public static readonly Option<TimeSpan?> Timeout = new("--timeout")
    { Description = "Of one call [default: 30s]", HelpName = "DURATION", CustomParser = Times.DurationOption };

    public static readonly Option<string?> Tenant = new("--tenant", "-t")
    { Description = "The tenant [KPICTL_TENANT]", HelpName = "TENANT" };

    public static readonly Option<string?> Environment = new("--env", "-e")
    { Description = "dev, stg or prod [KPICTL_ENV]", HelpName = "ENV" };

    public static readonly Option<OutputFormat> Output = new("--output", "-o")
    { Description = "table, wide, json, yaml or name [default: table]", HelpName = "FORMAT" };

    public static readonly Option<string?> Reason = new("--reason", "-r")
    { Description = "Why; recorded in the audit trail", HelpName = "TEXT" };

    public static readonly Option<bool> DryRun = new("--dry-run")
    { Description = "Check and authorise as the real call would, and change nothing" };

    public static readonly Option<bool> Recursive = new("--recursive", "-R") { Description = "The directories within the directories, too" };

    public static readonly Option<bool> Yes = new("--yes", "-y") { Description = "Do not ask" };

    public static readonly Option<string?> BusinessDate = new("--business-date", "-d")
    { Description = "ISO 8601 date", HelpName = "DATE", CustomParser = Times.DateOption };

    static SharedOptions()
    {
        Environment.AcceptOnlyFromAmong("dev", "stg", "prod");
        Output.AcceptOnlyFromAmong("table", "wide", "json", "yaml", "name");
    }

    /// <summary>For commands that talk to the control plane.</summary>
    public static Command Online(this Command command) => command.With(Server, Context, Timeout);

    public static Command With(this Command command, params Option[] options)
    {
        foreach (var option in options)
            command.Add(option);
        return command;
    }

    /// <summary>What the command does, in a session of its own.</summary>
    public static Command Does(this Command command, Func<Session, Task<int>> action)
    {
        command.SetAction(async (parsed, token) =>
        {
            using var session = new Session(((Invocation)parsed.InvocationConfiguration).World, parsed, token);
            try
            {
                return await action(session);
            }
            catch (RpcException failed) when (failed.Status.DebugException is Refusal)
            {
                throw failed.Status.DebugException;
            }
            catch (RpcException failed) when (!token.IsCancellationRequested)
            {
                return new RpcFailure(session.Target).Print(session.World, failed);
            }
        });
        return command;
    }
}
