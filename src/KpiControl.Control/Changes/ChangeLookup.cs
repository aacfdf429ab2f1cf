using System.Globalization;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Changes;

/// <summary>Finds a change for a caller, and says what it can no longer be used for.</summary>
internal static class ChangeLookup
{
    public static async Task<ChangeRow> FindAsync(RequestTransaction tx, long id, Verb verb)
    {
        if (id == 0)
            throw Reject.Invalid("change_id", "is missing");
        var what = string.Create(CultureInfo.InvariantCulture, $"The change {id}");
        var change = await ChangeStore.FindAsync(tx, id) ?? throw Reject.NotFound(what);
        tx.Demand(verb, change.TenantId, change.Environment, what);
        return change;
    }

    public static async Task<Change> AnswerAsync(RequestTransaction tx, long id, bool withContent = false)
    {
        var change = await ChangeStore.FindAsync(tx, id) ?? throw new InvalidOperationException("A change that was found is gone.");
        var answer = change.ToProto([.. (await ChangeStore.DecisionsAsync(tx, id))[id]], withContent);
        answer.BreakGlass.AddRange((await BreakGlassStore.ApprovalsAsync(tx, id)).Select(approval => approval.ToProto()));
        answer.Review = (await BreakGlassStore.ReviewAsync(tx, id))?.ToProto();
        return answer;
    }

    public static void DemandUndecided(ChangeRow change)
    {
        if (change.State != "open")
            throw Reject.Precondition("CHANGE_CLOSED", Subject(change), $"The change is {change.State} since {change.ClosedAt:yyyy-MM-dd HH:mm:ss}Z, by {change.ClosedBy}.");
    }

    /// <summary>That it can still be approved and applied.</summary>
    public static void DemandOpen(ChangeRow change)
    {
        DemandUndecided(change);
        if (change.Expired)
            throw Reject.Precondition("CHANGE_EXPIRED", Subject(change), $"The change expired at {change.ExpiresAt:yyyy-MM-dd HH:mm:ss}Z; propose it again.");
        if (change.IsStale)
            throw Reject.Precondition("CHANGE_STALE", Subject(change), $"{WhatMoved(change)} since it was proposed, so what was agreed to is not what would be released; propose it again.");
    }

    public static string Words(IEnumerable<ApprovalNeed> needs) => string.Join(" and ", needs.Select(need =>
        need.Principal.Length > 0 ? $"the {need.Capacity} owner {need.Principal}" : $"somebody with the role approver_{need.Capacity}"));

    private static string WhatMoved(ChangeRow change) =>
        change.CalendarVersionNow != change.CalendarVersion ? $"The calendar {change.Calendar} has changed from version {change.CalendarVersion} to {change.CalendarVersionNow}"
        : change.RevisionNow != change.BaseRevision ? $"The binding has changed from r{change.BaseRevision} to r{change.RevisionNow}"
        : change.PolicyVersionNow != change.PolicyVersion ? $"The policy has changed from version {change.PolicyVersion} to {change.PolicyVersionNow}"
        : change.ContractDigestNow != change.ContractDigest ? "What is stored of its metric contract has changed"
        : TablesMoved(change) is { Length: > 0 } tables ? $"Another contract is in force for {tables}"
        : "What is stored of it has changed";

    private static string TablesMoved(ChangeRow change)
    {
        var (then, now) = (TableContracts.Parsed(change.TableContracts), TableContracts.Of(change.Tables, change.UsableTables));
        return then is null || now is null ? "" : string.Join(" and ", then.Concat(now).Select(one => one.Key).Distinct().Order(StringComparer.Ordinal).Where(name => (string?)then[name] != (string?)now[name]));
    }

    private static string Subject(ChangeRow change) => change.ChangeId.ToString(CultureInfo.InvariantCulture);
}
