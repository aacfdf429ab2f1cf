using System.Globalization;
using KpiControl.Control.Audit;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Control.Tenants;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Changes;

/// <summary>What cannot wait for a window or the owners: two approvers who are not its author agree for a bounded time, and a review remains.</summary>
internal static class BreakGlass
{
    private const int Approvers = 2;

    public static async Task<Change> ApproveAsync(RequestTransaction tx, DecideChangeRequest request)
    {
        var change = await ChangeLookup.FindAsync(tx, request.ChangeId, Verb.ChangeRequestApprove);
        var subject = Subject(change.ChangeId);
        ChangeLookup.DemandOpen(change);
        Decisions.DemandDigest(change, request);
        if (request.Comment.Length == 0)
            throw Reject.Invalid("comment", "is missing: say why it cannot wait");
        if (change.Author == tx.Caller.Principal)
            throw Reject.Precondition("OWN_CHANGE", subject, "You proposed this change; two others break the glass for it.");
        var capacity = Array.Find([Approvals.Business, Approvals.Technical], role => tx.Caller.Holds($"approver_{role}", change.TenantId, change.Environment))
            ?? throw Reject.Precondition("NOT_AN_APPROVER", subject, $"{tx.Caller.Principal} has no approver's role in {change.TenantId}/{change.Environment}.");
        var life = await LifeAsync(tx, change);
        // The same word again is no second approval, and no longer one.
        if (await BreakGlassStore.ApproveAsync(tx, change.ChangeId, capacity, request.Comment, life))
            await AuditAsync(tx, change.TenantId, change.Environment, change.ChangeId, Verb.ChangeRequestApprove, request.Comment,
                new { decision = "break_glass", capacity, change.Digest, hours = life.TotalHours });
        return await ChangeLookup.AnswerAsync(tx, change.ChangeId);
    }

    /// <summary>Who agreed, where enough of them did and it still counts.</summary>
    public static async Task<IReadOnlyList<BreakGlassRow>> DemandAsync(RequestTransaction tx, ChangeRow change, string reason)
    {
        if (reason.Length == 0)
            throw Reject.Invalid("reason", "is missing: the review begins with why it could not wait");
        await LifeAsync(tx, change);
        var given = await BreakGlassStore.ApprovalsAsync(tx, change.ChangeId);
        var counting = given.Where(approval => approval.Counts && approval.Digest == change.Digest && approval.Principal != change.Author).DistinctBy(approval => approval.Principal).ToList();
        if (counting.Count < Approvers)
            throw Reject.Precondition("BREAK_GLASS_MISSING", Subject(change.ChangeId), string.Create(CultureInfo.InvariantCulture,
                $"It needs {Approvers} approvers other than {change.Author} who break the glass for it; {counting.Count} did{(given.Count > counting.Count ? $", and {given.Count - counting.Count} whose time is over" : "")}."));
        return counting;
    }

    /// <summary>What was released so is looked at afterwards by somebody who neither proposed, decided on nor released it.</summary>
    /// <param name="decisions">The ordinary ones.</param>
    public static async Task OpenReviewAsync(RequestTransaction tx, ChangeRow change, IReadOnlyList<DecisionRow> decisions, string reason)
    {
        // Also those whose time was over: they agreed.
        var given = await BreakGlassStore.ApprovalsAsync(tx, change.ChangeId);
        string[] participants = [.. given.Select(approval => approval.Principal).Concat(decisions.Select(decision => decision.Principal)).Append(change.Author).Append(tx.Caller.Principal).Distinct().Order(StringComparer.Ordinal)];
        await BreakGlassStore.OpenReviewAsync(tx, change.ChangeId, reason, participants);
        await AuditAsync(tx, change.TenantId, change.Environment, change.ChangeId, Verb.Publish, reason, new { break_glass = true, review = "open", participants, change.Digest });
    }

    public static async Task<ChangeReview> CloseReviewAsync(RequestTransaction tx, CloseReviewRequest request)
    {
        var change = await ChangeLookup.FindAsync(tx, request.ChangeId, Verb.ChangeRequestApprove);
        var subject = Subject(change.ChangeId);
        var review = await BreakGlassStore.ReviewAsync(tx, change.ChangeId) ?? throw Reject.Precondition("NO_REVIEW", subject, "The change was not released by breaking the glass: there is nothing to review.");
        if (request.Comment.Length == 0)
            throw Reject.Invalid("comment", "is missing: say what the review came to");
        if (review.ClosedAt is { } at)
            throw Reject.Precondition("REVIEW_CLOSED", subject, $"The review was closed at {ReleaseHours.Text(at)} by {review.ClosedBy}.");
        if (review.Participants.Contains(tx.Caller.Principal))
            throw Reject.Precondition("REVIEW_PARTICIPANT", subject, "You had a part in this release; somebody else reviews it.");
        if (!await BreakGlassStore.CloseAsync(tx, change.ChangeId, request.Comment))
            throw Reject.Aborted("CHANGE_MOVED", "Somebody closed this review at the same moment; look at it again.");
        await AuditAsync(tx, change.TenantId, change.Environment, change.ChangeId, Verb.ChangeRequestApprove, request.Comment, new { review = "closed" });
        return (await BreakGlassStore.ReviewAsync(tx, change.ChangeId))!.ToProto();
    }

    private static async Task<TimeSpan> LifeAsync(RequestTransaction tx, ChangeRow change)
    {
        var policy = await Policies.FindAsync(tx, change.TenantId, change.Environment, version: 0);
        return policy.BreakGlassSeconds > 0 ? TimeSpan.FromSeconds(policy.BreakGlassSeconds)
            : throw Reject.Precondition("BREAK_GLASS_FORBIDDEN", Subject(change.ChangeId), $"The policy of {change.TenantId} in {change.Environment} allows no break-glass.");
    }

    private static Task AuditAsync(RequestTransaction tx, string tenant, string environment, long id, Verb verb, string reason, object after) => AuditStore.AppendAsync(tx, new AuditEntry
    {
        TenantId = tenant, Environment = environment, Actor = tx.Caller.Principal, Verb = verb.ToString(), ObjectKind = "change", ObjectId = Subject(id), Reason = reason, After = AuditEntry.Json(after),
    });

    private static string Subject(long id) => id.ToString(CultureInfo.InvariantCulture);
}
