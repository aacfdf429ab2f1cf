using System.Globalization;
using KpiControl.Control.Audit;
using KpiControl.Control.Authoring;
using KpiControl.Control.Backfills;
using KpiControl.Control.Catalog;
using KpiControl.Control.Changes;
using KpiControl.Control.Hosting;
using KpiControl.Control.Operations;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Control.Tenants;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Restatements;

/// <summary>An offer is accepted or declined. What is accepted and agreed to, the backfill's feeder computes.</summary>
internal static class Restatements
{
    public static async Task<Restatement> AcceptAsync(RequestTransaction tx, AcceptRestatementRequest request)
    {
        var (row, binding) = await LockAsync(tx, request.RestatementId, Verb.Backfill);
        switch (row.State)
        {
            case "proposed" or "running" or "restated":
                return await RestatementReads.AnswerAsync(tx, row.RestatementId);
            case "failed":
                return await StartAsync(tx, row, binding, Verb.Backfill, request.Reason, request.ValidateOnly);
            case "offered":
                break;
            default:
                throw Closed(row);
        }
        Triggers.DemandMayRun(await TriggerStore.FactsAsync(tx, binding.BindingId), binding);
        var needs = await NeedsAsync(tx, binding);
        var signed = RestatementDigest.Signed(row, await RestatementStore.DatesAsync(tx, row.RestatementId));
        var digest = ContentHash.OfCanonicalJson(signed);
        if (!await RestatementStore.ProposeAsync(tx, row.RestatementId, digest, AuditEntry.Json(needs), request.Reason))
            throw Closed(row with { Stored = "expired" });
        await AuditAsync(tx, row, Verb.Backfill, request.Reason, new { State = needs.Count == 0 ? "accepted" : "proposed", Digest = digest, Signed = signed, Required = needs });
        var proposed = (await RestatementStore.FindAsync(tx, row.RestatementId))!;
        return needs.Count == 0 ? await StartAsync(tx, proposed, binding, Verb.Backfill, request.Reason, request.ValidateOnly) : await RestatementReads.AnswerAsync(tx, row.RestatementId);
    }

    public static async Task<Restatement> DeclineAsync(RequestTransaction tx, DeclineRestatementRequest request)
    {
        var (row, _) = await LockAsync(tx, request.RestatementId, Verb.Backfill);
        var reason = RequestFields.Required("reason", request.Reason);
        if (row.State == "declined" && row.ClosedBy == tx.Caller.Principal)
            return await RestatementReads.AnswerAsync(tx, row.RestatementId);
        await CloseAsync(tx, row, Verb.Backfill, reason);
        return await RestatementReads.AnswerAsync(tx, row.RestatementId);
    }

    /// <summary>Of everybody who decides on one, one at a time: the job's row is held.</summary>
    public static async Task<(RestatementRow, Binding)> LockAsync(RequestTransaction tx, long id, Verb verb)
    {
        var seen = await RestatementReads.FindAsync(tx, id, verb);
        var binding = await BindingLookup.ResolveForEditAsync(tx, new(seen.BindingId, "", "", ""), verb);
        return ((await RestatementStore.FindAsync(tx, id))!, binding);
    }

    /// <summary>What was agreed to runs: each date that it has not restated yet, oldest first, behind everything live.</summary>
    public static async Task<Restatement> StartAsync(RequestTransaction tx, RestatementRow row, Binding binding, Verb verb, string reason, bool validateOnly)
    {
        Triggers.DemandMayRun(await TriggerStore.FactsAsync(tx, binding.BindingId), binding);
        await CursorStore.LaneAsync(tx, binding.Region, 6);
        var backfill = await BackfillStore.AddAsync(tx, new BackfillRow
        {
            BindingId = binding.BindingId, TenantId = binding.TenantId, FirstDate = row.FirstDate, LastDate = row.LastDate, Rerun = true,
            Reason = row.Reason, RequestedBy = row.AcceptedBy!, RestatementId = row.RestatementId,
        });
        await BackfillStore.AddRestatedSlotsAsync(tx, backfill, row.RestatementId);
        if (!await RestatementStore.StartAsync(tx, row.RestatementId, backfill))
            throw Closed(row with { Stored = "expired" });
        await AuditAsync(tx, row, verb, reason, new { State = "running", row.Digest, BackfillId = backfill });
        var answer = await RestatementReads.AnswerAsync(tx, row.RestatementId);
        // An id of a row that is rolled back would be somebody else's later.
        if (validateOnly)
            answer.BackfillId = 0;
        return answer;
    }

    public static async Task CloseAsync(RequestTransaction tx, RestatementRow row, Verb verb, string reason)
    {
        if (!await RestatementStore.DeclineAsync(tx, row.RestatementId, reason))
            throw Closed(row.State is "offered" or "proposed" ? row with { Stored = "expired" } : row);
        await AuditAsync(tx, row, verb, reason, new { State = "declined" });
    }

    public static Exception Closed(RestatementRow row) => Reject.Precondition("RESTATEMENT_CLOSED", Subject(row), row.State switch
    {
        "expired" => $"The offer lapsed at {row.ExpiresAt:yyyy-MM-dd HH:mm:ss}Z; a later refresh makes another one.",
        "superseded" => $"A later offer covers its dates: decide on restatement {row.SupersededBy}.",
        "declined" => $"It was declined at {row.ClosedAt:yyyy-MM-dd HH:mm:ss}Z by {row.ClosedBy}.",
        _ => $"It was accepted at {row.AcceptedAt:yyyy-MM-dd HH:mm:ss}Z by {row.AcceptedBy}; what does not run yet is cancelled with backfill {row.BackfillId}.",
    });

    public static Task AuditAsync(RequestTransaction tx, RestatementRow row, Verb verb, string reason, object after) => AuditStore.AppendAsync(tx, new AuditEntry
    {
        TenantId = row.TenantId, Environment = row.Environment, Actor = tx.Caller.Principal, Verb = verb.ToString(), ObjectKind = "restatement", ObjectId = Subject(row),
        Reason = reason, Before = AuditEntry.Json(new { row.State }), After = AuditEntry.Json(after),
    });

    public static string Subject(RestatementRow row) => row.RestatementId.ToString(CultureInfo.InvariantCulture);

    // Whose agreement a change of the job would need: theirs is the number.
    private static async Task<IReadOnlyList<ApprovalNeed>> NeedsAsync(RequestTransaction tx, Binding binding)
    {
        if (!(await Policies.FindAsync(tx, binding.TenantId, binding.Environment, version: 0)).RequiresApproval)
            return [];
        var job = ArtifactReader.ReadCanonical((await JobStore.FindAsync(tx, binding.BindingId)).CanonicalJson)!;
        var contract = await ContractStore.FindAsync(tx, binding.TenantId, binding.KpiId, binding.ContractVersion)
            ?? throw new InvalidOperationException($"The contract of binding {binding.BindingId} is gone.");
        var understood = JobCheck.Understand(contract);
        return Approvals.Needed(job, understood, job, understood);
    }
}
