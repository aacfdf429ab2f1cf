using System.CommandLine;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class CancelCommand
{
    private static readonly Argument<string> Job = JobAddress.Argument();
    private static readonly Option<string?> Slot = new("--slot")
    { Description = "The occurrence's slot_key; absent: the open one, and all that are open where several run at once", HelpName = "SLOT_KEY" };

    public static Command Create() =>
        new Command("cancel", "End a job's open occurrence: at once where it waits, when its agent has stopped it where it runs") { Job }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Slot, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Yes, SharedOptions.Output)
            .Does(Cancel);

    private static async Task<int> Cancel(Session session)
    {
        var address = JobAddress.Parse(session.Value(Job)!, session.Target);
        var dryRun = session.Value(SharedOptions.DryRun);
        if (!dryRun && !Talk.Agreed(session.World, session.Value(SharedOptions.Yes), $"Cancel {session.Value(Slot) ?? "the open occurrence"} of {address}?"))
            return Talk.Refused(session.World, new Refusal("not cancelled"));
        var answer = await session.Jobs.CancelOccurrenceAsync(new CancelOccurrenceRequest
        {
            BindingId = address.BindingId, Tenant = address.Tenant, Environment = address.Environment, JobId = address.JobId,
            SlotKey = session.Value(Slot) ?? "", Reason = session.Value(SharedOptions.Reason) ?? "",
            ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        var slot = answer.Occurrence?.SlotKey ?? session.Value(Slot) ?? "the open occurrence";
        session.Answer.Print(answer, () =>
        {
            session.World.Out.WriteLine(Line(slot, address, dryRun, answer.Ended));
            foreach (var other in answer.Others)
                session.World.Out.WriteLine(Line(other.SlotKey, address, dryRun, other.State != "leased"));
        }, () => [slot, .. answer.Others.Select(other => other.SlotKey)]);
        return ExitCode.Done;
    }

    private static string Line(string slot, JobAddress address, bool dryRun, bool ended) => (dryRun, ended) switch
    {
        (true, _) => $"{slot} of {address} would be cancelled (dry run)",
        (_, true) => $"{slot} of {address} cancelled",
        _ => $"{slot} of {address}: its agent was told to stop; see kpictl history {address}",
    };
}
