using KpiControl.Control.Changes;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Restatements;

/// <summary>Owners agree to a proposed restatement or refuse it, by the rules of a change.</summary>
internal static class RestatementDecisions
{
    public static async Task<Restatement> ApproveAsync(RequestTransaction tx, DecideRestatementRequest request)
    {
        var (row, binding) = await Restatements.LockAsync(tx, request.RestatementId, Verb.ChangeRequestApprove);
        var given = (await RestatementStore.DecisionsAsync(tx, row.RestatementId))[row.RestatementId].ToList();
        var missing = Approvals.Missing(row.Needs, given);
        if (given.Exists(d => d.Principal == tx.Caller.Principal && d.Digest == request.Digest))
            return Approvals.CapacityOf(tx.Caller, row.TenantId, row.Environment, missing) is { } other
                ? throw Reject.Precondition("SECOND_PERSON", Restatements.Subject(row), $"You approved it already; the {other} approval must be somebody else's.")
                : await RestatementReads.AnswerAsync(tx, row.RestatementId);
        Demand(row, request);
        if (row.AcceptedBy == tx.Caller.Principal)
            throw Reject.Precondition("OWN_CHANGE", Restatements.Subject(row), "You accepted this restatement; somebody else approves it.");
        var capacity = Approvals.CapacityOf(tx.Caller, row.TenantId, row.Environment, missing) ?? throw NotAnOwner(tx.Caller, row, missing);
        await DecideAsync(tx, row, capacity, "approve", request);
        return Approvals.Missing(row.Needs, (await RestatementStore.DecisionsAsync(tx, row.RestatementId))[row.RestatementId]).Count > 0
            ? await RestatementReads.AnswerAsync(tx, row.RestatementId)
            : await Restatements.StartAsync(tx, row, binding, Verb.ChangeRequestApprove, request.Comment, request.ValidateOnly);
    }

    public static async Task<Restatement> RejectAsync(RequestTransaction tx, DecideRestatementRequest request)
    {
        var (row, _) = await Restatements.LockAsync(tx, request.RestatementId, Verb.ChangeRequestApprove);
        Demand(row, request);
        var comment = RequestFields.Required("comment", request.Comment);
        var capacity = Approvals.CapacityOf(tx.Caller, row.TenantId, row.Environment, row.Needs) ?? throw NotAnOwner(tx.Caller, row, row.Needs);
        // Whoever has approved may still reject: the later word counts, and the approval stays on record.
        await RestatementStore.DecideAsync(tx, row.RestatementId, capacity, "reject", comment);
        await Restatements.CloseAsync(tx, row, Verb.ChangeRequestApprove, comment);
        return await RestatementReads.AnswerAsync(tx, row.RestatementId);
    }

    private static async Task DecideAsync(RequestTransaction tx, RestatementRow row, string capacity, string decision, DecideRestatementRequest request)
    {
        if (!await RestatementStore.DecideAsync(tx, row.RestatementId, capacity, decision, request.Comment))
            throw Reject.Aborted("RESTATEMENT_MOVED", "Somebody decided on this restatement at the same moment; look at it again.");
        await Restatements.AuditAsync(tx, row, Verb.ChangeRequestApprove, request.Comment, new { decision, capacity, row.Digest });
    }

    private static void Demand(RestatementRow row, DecideRestatementRequest request)
    {
        if (row.State == "offered")
            throw Reject.Precondition("NOT_PROPOSED", Restatements.Subject(row), "Nobody has accepted the offer yet, so there is nothing to approve.");
        if (row.State != "proposed")
            throw Restatements.Closed(row);
        if (request.Digest != row.Digest)
            throw Reject.Precondition("DIGEST_MISMATCH", Restatements.Subject(row), $"The restatement's digest is {row.Digest}; look at it again and decide on exactly that.");
    }

    private static Exception NotAnOwner(Caller caller, RestatementRow row, IReadOnlyList<ApprovalNeed> needs) =>
        Reject.Precondition("NOT_AN_OWNER", Restatements.Subject(row), $"It needs the agreement of {ChangeLookup.Words(needs)}; {caller.Principal} is none of them, or does not have that approver's role here.");
}
