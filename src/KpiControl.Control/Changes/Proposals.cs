using System.Globalization;
using KpiControl.Control.Audit;
using KpiControl.Control.Authoring;
using KpiControl.Control.Catalog;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Changes;

/// <summary>Opens changes: by ProposeChange, and by CreateJob and UpdateJob where policy asks for approval.</summary>
internal static class Proposals
{
    /// <summary>How long a change may be decided on and applied.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromDays(7);

    public static async Task<Change> ProposeAsync(RequestTransaction tx, ProposeChangeRequest request)
    {
        var environment = RequestFields.Environment(request.Environment);
        var submission = Submission.Of(request.Content, request.Format, environment, request.Region);
        var job = await JobCheck.CheckAsync(tx, submission, Verb.ChangeRequestSubmit);
        FindingMapping.DemandNoErrors(job.Findings);
        var binding = await BindingStore.FindForEditAsync(tx, new BindingKey(0, job.Job.Tenant, environment, job.Job.JobId));
        if (binding is null)
        {
            var defId = await DefinitionStore.PutAsync(tx, job);
            var id = await JobCreation.BindInactiveAsync(tx, defId, job);
            binding = await BindingStore.FindForEditAsync(tx, new BindingKey(id, "", "", "")) ?? throw new InvalidOperationException("A binding that was made is gone.");
        }
        else if (binding.Region != job.Region && request.Region.Length > 0)
            throw Reject.Invalid("region", $"the job is bound in {binding.Region}; a change does not move it to another region");
        return (await OpenAsync(tx, binding, job, request.Reason)).ToProto(await DecisionsAsync(tx, binding), withContent: true);
    }

    /// <summary>The open change that asks for this; the one that is there where it asks for the same and still stands.</summary>
    /// <param name="binding">Held for the transaction.</param>
    public static async Task<ChangeRow> OpenAsync(RequestTransaction tx, Binding binding, CheckedJob job, string reason)
    {
        tx.Demand(Verb.ChangeRequestSubmit, binding.TenantId, binding.Environment, $"The job {binding.BindingId}");
        if (await ChangeStore.FindOpenAsync(tx, binding.BindingId) is { } open)
        {
            if (open.ContentHash == job.Reading.ContentHash && !open.IsStale && !open.Expired)
                return open;
            await ChangeStore.CloseAsync(tx, open.ChangeId, "superseded");
        }
        var change = await NewAsync(tx, binding, job, reason);
        var id = await ChangeStore.InsertAsync(tx, change);
        await AuditStore.AppendAsync(tx, new AuditEntry
        {
            TenantId = binding.TenantId, Environment = binding.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.ChangeRequestSubmit),
            ObjectKind = "change", ObjectId = id.ToString(CultureInfo.InvariantCulture), Reason = reason,
            After = AuditEntry.Json(new { change.BindingId, change.Kind, change.ContentHash, change.Digest, change.BaseRevision, change.PolicyVersion }),
        });
        return await ChangeStore.FindAsync(tx, id) ?? throw new InvalidOperationException("A change that was stored is gone.");
    }

    private static async Task<NewChange> NewAsync(RequestTransaction tx, Binding binding, CheckedJob job, string reason)
    {
        var defId = await DefinitionStore.PutAsync(tx, job);
        var isFirst = binding is { Revision: 1, ActiveFlag: false };
        var needs = job.Placement!.RequiresApproval ? await NeedsAsync(tx, binding, isFirst, job) : [];
        var change = new NewChange
        {
            TenantId = binding.TenantId, Environment = binding.Environment, Region = binding.Region, JobId = binding.JobId, BindingId = binding.BindingId,
            Kind = isFirst ? "create" : "update", DefId = defId, ContentHash = job.Reading.ContentHash!, Format = job.Submission.Format.Word(),
            Content = job.Submission.Content, BaseDefId = isFirst ? null : binding.DefId, BaseRevision = binding.Revision, ContractDigest = job.ContractDigest,
            PolicyVersion = job.Placement!.PolicyVersion, Digest = "", Required = ChangeRow.Json(needs), Author = tx.Caller.Principal, Reason = reason, Life = Life,
        };
        return change with { Digest = ChangeDigest.Of(change) };
    }

    private static async Task<IReadOnlyList<ApprovalNeed>> NeedsAsync(RequestTransaction tx, Binding binding, bool isFirst, CheckedJob job)
    {
        if (isFirst)
            return Approvals.Needed(null, null, job.Job, job.Contract!);
        var row = await JobStore.FindAsync(tx, binding.BindingId);
        var contract = await ContractStore.FindAsync(tx, binding.TenantId, binding.KpiId, binding.ContractVersion);
        MetricContract? boundContract = contract is null ? null : JobCheck.Understand(contract);
        return Approvals.Needed(ArtifactReader.Read(row.CanonicalJson, ArtifactFormat.Json).Job!, boundContract, job.Job, job.Contract!);
    }

    private static async Task<IReadOnlyList<DecisionRow>> DecisionsAsync(RequestTransaction tx, Binding binding) =>
        await ChangeStore.FindOpenAsync(tx, binding.BindingId) is { } open ? [.. (await ChangeStore.DecisionsAsync(tx, open.ChangeId))[open.ChangeId]] : [];
}
