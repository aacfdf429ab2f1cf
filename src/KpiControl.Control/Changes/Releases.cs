using System.Globalization;
using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Changes;

/// <summary>Puts in force what was agreed to, and nothing else.</summary>
internal static class Releases
{
    public static async Task<Change> ApplyAsync(RequestTransaction tx, ApplyChangeRequest request)
    {
        var asked = await ChangeLookup.FindAsync(tx, request.ChangeId, Verb.Publish);
        var binding = await BindingStore.FindForEditAsync(tx, new BindingKey(asked.BindingId, "", "", "")) ?? throw new InvalidOperationException("A change's binding is gone.");
        // Read again: the binding is held from here on. A policy that is put at this moment comes after the release.
        var change = await ChangeStore.FindAsync(tx, asked.ChangeId) ?? throw new InvalidOperationException("A change that was found is gone.");
        ChangeLookup.DemandOpen(change);
        if (change.Removes && change.Source is { } remover && binding.Source != remover)
            throw Reject.Precondition("CHANGE_STALE", change.ChangeId.ToString(CultureInfo.InvariantCulture), $"{remover} was to take the job away, and it is {binding.Source ?? "nobody"}'s now; withdraw the change.");
        var decisions = (await ChangeStore.DecisionsAsync(tx, change.ChangeId))[change.ChangeId].Where(d => d.Digest == change.Digest).ToList();
        var glass = request.BreakGlass ? await BreakGlass.DemandAsync(tx, change, request.Reason) : [];
        if (!request.BreakGlass)
            DemandApprovals(change, decisions);
        var how = new Rebinding(change.Reason, Activate: change.Kind == "create" || binding.PrunedAt is not null, change.ChangeId, request.BreakGlass,
            Approvals: [.. decisions.Where(d => d.Decision == "approve").Select(d => $"{d.Capacity}: {d.Principal}"), .. glass.Select(approval => $"break-glass: {approval.Principal}")]);
        var revision = binding.Revision + 1;
        if (change.Removes)
            await JobRebind.RetireAsync(tx, [(binding, ArtifactReader.ReadCanonical(change.CanonicalJson)!)], how);
        else
            await JobRebind.ApplyAsync(tx, binding, await CheckAgainAsync(tx, change), how);
        if (change.Source is { } source)
            await JobSources.TakeAsync(tx, [binding], source, change.Reason);
        if (!await ChangeStore.CloseAsync(tx, change.ChangeId, "applied", revision))
            throw Reject.Aborted("CHANGE_MOVED", "Somebody closed this change at the same moment; look at it again.");
        if (request.BreakGlass)
            await BreakGlass.OpenReviewAsync(tx, change, decisions, request.Reason);
        return await ChangeLookup.AnswerAsync(tx, change.ChangeId);
    }

    private static void DemandApprovals(ChangeRow change, IReadOnlyList<DecisionRow> decisions)
    {
        var missing = Approvals.Missing(change.Needs, decisions);
        if (missing.Count > 0)
            throw Reject.Precondition("APPROVAL_MISSING", change.ChangeId.ToString(CultureInfo.InvariantCulture), $"It still needs the agreement of {ChangeLookup.Words(missing)}.");
    }

    // A contract may have been retired since, a dependency unbound: what became invalid is told as any finding.
    private static async Task<CheckedJob> CheckAgainAsync(RequestTransaction tx, ChangeRow change)
    {
        var job = await JobCheck.CheckAsync(tx, Submission.Of(change.Content, change.Format, change.Environment, change.Region), Verb.Publish);
        FindingMapping.DemandNoErrors(job.Findings);
        if (job.Reading.ContentHash != change.ContentHash || job.ContractDigest != change.ContractDigest || job.Calendar?.Version != change.CalendarVersion)
            throw Reject.Precondition("CHANGE_STALE", change.ChangeId.ToString(CultureInfo.InvariantCulture), "What would be put in force is not what was agreed to: its contract, its calendar or what is stored of it changed; propose it again.");
        return job;
    }
}
