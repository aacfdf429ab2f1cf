using System.CommandLine;
using System.Reflection;
using System.Text.Json.Nodes;
using Grpc.Core;
using KpiControl.Cli.Connection;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;

namespace KpiControl.Cli.Commands;

internal static class VersionCommand
{
    private static readonly Option<bool> ClientOnly = new("--client") { Description = "Without asking the control plane" };
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    public static Command Create() =>
        new Command("version", "Print kpictl's version, and the control plane's where it can be reached") { ClientOnly }
            .Online().With(SharedOptions.Output).Does(Print);

    private static async Task<int> Print(Session session)
    {
        var client = typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        var server = session.Value(ClientOnly) ? null : await Server(session);
        if (session.Answer.ForPeople || session.Format == OutputFormat.Name)
        {
            session.World.Out.WriteLine($"kpictl {client}");
            if (server is not null)
                session.World.Out.WriteLine($"server {server}");
            return ExitCode.Done;
        }
        var node = new JsonObject { ["client"] = client, ["server"] = server };
        session.World.Out.WriteLine(session.Format == OutputFormat.Json ? node.ToJsonString() : YamlText.Of(node).TrimEnd());
        return ExitCode.Done;
    }

    // An unreachable control plane is no failure here: the client's version is what was asked for.
    private static async Task<string?> Server(Session session)
    {
        try
        {
            return await ServerHealth.Version(session.ControlPlane.Anonymous, session.CallWithin(Patience));
        }
        catch (Refusal unknown)
        {
            session.World.Error.WriteLine($"server: {unknown.Message}");
        }
        catch (RpcException away) when (!session.Token.IsCancellationRequested)
        {
            session.World.Error.WriteLine(RpcFailure.NotReached(away) || away.StatusCode == StatusCode.DeadlineExceeded
                ? $"server: not reached at {session.Target.Server.Authority}"
                : $"server: {session.Target.Server.Authority} answered {away.StatusCode}");
        }
        return null;
    }
}
