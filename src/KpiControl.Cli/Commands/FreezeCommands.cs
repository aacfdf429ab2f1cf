using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Options;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>kpictl policies freeze and thaw: no release for a while, and again.</summary>
internal static class FreezeCommands
{
    private static readonly Option<string?> From = new("--from") { Description = "From when on; absent: now", HelpName = "INSTANT" };
    private static readonly Option<string> Until = new("--until") { Description = "Until when, not included", HelpName = "INSTANT", Required = true };

    public static Command Freeze() => new Command("freeze", "Let nothing be released in an environment for a while; --reason is what whoever is refused reads")
        .Online().With(SharedOptions.Tenant, SharedOptions.Environment, From, Until, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(session =>
        {
            var clock = session.World.Clock;
            var freeze = new Freeze
            {
                From = session.Value(From) is { } from ? Times.Instant(from, "--from", clock).ToTimestamp() : null,
                Until = Times.Instant(session.Value(Until)!, "--until", clock).ToTimestamp(), Reason = session.Value(SharedOptions.Reason) ?? "",
            };
            return Put(session, freezes => freezes.Append(freeze));
        });

    public static Command Thaw() => new Command("thaw", "Take back the freezes of an environment that have not ended; those that have stay on record in the policy's history")
        .Online().With(SharedOptions.Tenant, SharedOptions.Environment, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(session => Put(session, _ => []));

    // Of what was read, and refused where somebody else wrote in between: their freeze must not be lost. What has ended the control plane leaves out, by its clock.
    private static async Task<int> Put(Session session, Func<IEnumerable<Freeze>, IEnumerable<Freeze>> edit)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var request = PoliciesCommand.Request(session, dryRun);
        var policy = await session.Tenants.GetPolicyAsync(new GetPolicyRequest { Tenant = request.Tenant, Environment = request.Environment }, session.Call);
        request.Etag = policy.Etag;
        request.Freezes = new Freezes { Freezes_ = { edit(policy.Freezes) } };
        return PoliciesCommand.Show(session, await session.Tenants.PutPolicyAsync(request, session.Call), dryRun);
    }
}
