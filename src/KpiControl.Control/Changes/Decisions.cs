using System.Globalization;
using KpiControl.Control.Audit;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Changes;

/// <summary>Approvals, rejections and withdrawals: each refused in words where it is not theirs to give.</summary>
internal static class Decisions
{
    public static async Task<Change> ApproveAsync(RequestTransaction tx, DecideChangeRequest request)
    {
        var change = await ChangeLookup.FindAsync(tx, request.ChangeId, Verb.ChangeRequestApprove);
        var decisions = (await ChangeStore.DecisionsAsync(tx, change.ChangeId))[change.ChangeId].ToList();
        ChangeLookup.DemandOpen(change);
        DemandDigest(change, request);
        if (decisions.Exists(d => d.Principal == tx.Caller.Principal))
            return Again(tx.Caller, change, decisions);
        var capacity = CapacityOf(tx.Caller, change, decisions);
        if (!await ChangeStore.DecideAsync(tx, change.ChangeId, capacity, "approve", request.Comment))
            throw Reject.Aborted("CHANGE_MOVED", "Somebody decided on this change at the same moment; look at it again.");
        await AuditAsync(tx, change, Verb.ChangeRequestApprove, request.Comment, new { decision = "approve", capacity, change.Digest });
        return await ChangeLookup.AnswerAsync(tx, change.ChangeId);
    }

    public static async Task<Change> RejectAsync(RequestTransaction tx, DecideChangeRequest request)
    {
        var change = await ChangeLookup.FindAsync(tx, request.ChangeId, Verb.ChangeRequestApprove);
        if (request.BreakGlass)
            throw Reject.Invalid("break_glass", "is for approving: a rejection needs no glass broken");
        if (request.Comment.Length == 0)
            throw Reject.Invalid("comment", "is missing: whoever proposed it must know why it was rejected");
        ChangeLookup.DemandUndecided(change);
        // Whoever has approved may still reject: the later word counts, and the approval stays on record.
        if (Approvals.CapacityOf(tx.Caller, change.TenantId, change.Environment, change.Needs) is not { } capacity)
            throw NotAnOwner(tx.Caller, change, change.Needs);
        await ChangeStore.DecideAsync(tx, change.ChangeId, capacity, "reject", request.Comment);
        await CloseAsync(tx, change, "rejected");
        await AuditAsync(tx, change, Verb.ChangeRequestApprove, request.Comment, new { decision = "reject", capacity, change.Digest });
        return await ChangeLookup.AnswerAsync(tx, change.ChangeId);
    }

    public static async Task<Change> WithdrawAsync(RequestTransaction tx, WithdrawChangeRequest request)
    {
        var change = await ChangeLookup.FindAsync(tx, request.ChangeId, Verb.ChangeRequestSubmit);
        ChangeLookup.DemandUndecided(change);
        if (change.Author != tx.Caller.Principal)
            throw Reject.Precondition("NOT_THE_AUTHOR", Subject(change), $"Only {change.Author}, who proposed it, withdraws it; an owner rejects it.");
        await CloseAsync(tx, change, "withdrawn");
        await AuditAsync(tx, change, Verb.ChangeRequestSubmit, request.Comment, new { state = "withdrawn" });
        return await ChangeLookup.AnswerAsync(tx, change.ChangeId);
    }

    // The same word again is no second approval: a change needs as many people as it has needs.
    private static Change Again(Caller caller, ChangeRow change, IReadOnlyList<DecisionRow> decisions)
    {
        if (Approvals.CapacityOf(caller, change.TenantId, change.Environment, Approvals.Missing(change.Needs, decisions)) is { } other)
            throw Reject.Precondition("SECOND_PERSON", Subject(change), $"You approved it already; the {other} approval must be somebody else's. Name another {other} owner.");
        return change.ToProto(decisions, withContent: false);
    }

    private static string CapacityOf(Caller caller, ChangeRow change, IReadOnlyList<DecisionRow> decisions)
    {
        if (change.Author == caller.Principal)
            throw Reject.Precondition("OWN_CHANGE", Subject(change), "You proposed this change; somebody else approves it.");
        var missing = Approvals.Missing(change.Needs, decisions);
        return Approvals.CapacityOf(caller, change.TenantId, change.Environment, missing) ?? throw NotAnOwner(caller, change, missing);
    }

    private static Exception NotAnOwner(Caller caller, ChangeRow change, IReadOnlyList<ApprovalNeed> needs) => Reject.Precondition(
        "NOT_AN_OWNER", Subject(change), needs.Count == 0
            ? "Every approval that it needs is given."
            : $"It needs the agreement of {ChangeLookup.Words(needs)}; {caller.Principal} is none of them, or does not have that approver's role here.");

    public static void DemandDigest(ChangeRow change, DecideChangeRequest request)
    {
        if (request.Digest != change.Digest)
            throw Reject.Precondition("DIGEST_MISMATCH", Subject(change), $"The change's digest is {change.Digest}; look at it again and approve exactly that.");
    }

    private static async Task CloseAsync(RequestTransaction tx, ChangeRow change, string state)
    {
        if (!await ChangeStore.CloseAsync(tx, change.ChangeId, state))
            throw Reject.Aborted("CHANGE_MOVED", "Somebody closed this change at the same moment; look at it again.");
    }

    private static Task AuditAsync(RequestTransaction tx, ChangeRow change, Verb verb, string comment, object after) => AuditStore.AppendAsync(tx, new AuditEntry
    {
        TenantId = change.TenantId, Environment = change.Environment, Actor = tx.Caller.Principal, Verb = verb.ToString(), ObjectKind = "change",
        ObjectId = Subject(change), Reason = comment, After = AuditEntry.Json(after),
    });

    private static string Subject(ChangeRow change) => change.ChangeId.ToString(CultureInfo.InvariantCulture);
}
