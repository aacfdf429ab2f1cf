using System.CommandLine;
using System.Text;
using KpiControl.Cli.Authoring;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>propose, approve, reject, withdraw and release: the steps of a change.</summary>
internal static class ChangeDecisionCommands
{
    private static readonly Argument<long> Id = new("CHANGE") { Description = "The change's number" };
    private static readonly Option<string> File = new("--file", "-f") { Description = "The artifact", HelpName = "FILE", Required = true };
    private static readonly Option<string?> Region = new("--region") { Description = "Where a new job runs; absent: the tenant's home region", HelpName = "REGION" };
    private static readonly Option<string?> Comment = new("--comment", "-m") { Description = "Recorded with the decision", HelpName = "TEXT" };
    private static readonly Option<string?> Digest = new("--digest")
    { Description = "Approve only if this is still the change's digest; absent: what is shown", HelpName = "sha256:…" };

    private static readonly Option<bool> BreakGlass = new("--break-glass") { Description = "It cannot wait for a window or its owners: two approvers agree so, and a review is opened" };

    public static Command Propose() => new Command("propose", "Open a change: what is to be approved before it is bound")
        .Online().With(File, SharedOptions.Environment, Region, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Propose);

    public static Command Approve() => new Command("approve", "Agree to exactly what a change shows; its owners may, its author may not") { Id }
        .Online().With(Digest, Comment, BreakGlass, SharedOptions.DryRun, SharedOptions.Yes, SharedOptions.Output).Does(Approve);

    public static Command Reject() => new Command("reject", "Close a change; --comment says why") { Id }
        .Online().With(Comment, SharedOptions.DryRun, SharedOptions.Output).Does(session => Step(session, "rejected", async (id, dryRun) =>
            await session.Changes.RejectChangeAsync(new DecideChangeRequest { ChangeId = id, Comment = session.Value(Comment) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun) }, session.Call)));

    public static Command Withdraw() => new Command("withdraw", "Take back a change that you proposed") { Id }
        .Online().With(Comment, SharedOptions.DryRun, SharedOptions.Output).Does(session => Step(session, "withdrawn", async (id, dryRun) =>
            await session.Changes.WithdrawChangeAsync(new WithdrawChangeRequest { ChangeId = id, Comment = session.Value(Comment) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun) }, session.Call)));

    public static Command Release() => new Command("release", "Put an approved change in force") { Id }
        .Online().With(BreakGlass, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(session => Step(session, "released", async (id, dryRun) =>
            await session.Changes.ApplyChangeAsync(new ApplyChangeRequest { ChangeId = id, BreakGlass = session.Value(BreakGlass), Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun) }, session.Call)));

    private static async Task<int> Propose(Session session)
    {
        var file = session.Value(File)!;
        var dryRun = session.Value(SharedOptions.DryRun);
        return ChangeText.Proposed(session, await session.Changes.ProposeChangeAsync(new ProposeChangeRequest
        {
            Environment = session.Target.Environment ?? "dev", Region = session.Value(Region) ?? "", Reason = session.Value(SharedOptions.Reason) ?? "",
            Format = file.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? "json" : "yaml", Content = Encoding.UTF8.GetString(FileSet.Read(file)),
            ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call), dryRun);
    }

    private static async Task<int> Approve(Session session)
    {
        var shown = await session.Changes.GetChangeAsync(new GetChangeRequest { ChangeId = session.Value(Id) }, session.Call);
        var dryRun = session.Value(SharedOptions.DryRun);
        if (!dryRun && session.World.CanAsk && !session.Value(SharedOptions.Yes))
        {
            ChangeText.Print(session, shown);
            if (!Talk.Agreed(session.World, false, "Approve exactly this?"))
                return ExitCode.UsageOrCancelled;
        }
        return await Step(session, "approved", async (id, _) => await session.Changes.ApproveChangeAsync(new DecideChangeRequest
        {
            ChangeId = id, Digest = session.Value(Digest) ?? shown.Digest, Comment = session.Value(Comment) ?? "", BreakGlass = session.Value(BreakGlass), ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call));
    }

    private static async Task<int> Step(Session session, string done, Func<long, bool, Task<Change>> take)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var change = await take(session.Value(Id), dryRun);
        session.Answer.Print(change, () => ChangeText.Tell(session, change, done, dryRun), () => [ChangeText.Name(change)]);
        return ExitCode.Done;
    }
}
