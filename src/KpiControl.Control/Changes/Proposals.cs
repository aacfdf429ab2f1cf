using System.Globalization;
using KpiControl.Control.Audit;
using KpiControl.Control.Authoring;
using KpiControl.Control.Catalog;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Control.Tenants;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Changes;

/// <summary>Opens changes: by ProposeChange, and by CreateJob and UpdateJob where policy asks for approval.</summary>
internal static class Proposals
{
    /// <summary>The kind of a change that takes a job away.</summary>
    public const string Removal = "remove";

    /// <summary>How long a change may be decided on and applied.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromDays(7);

    public static async Task<Change> ProposeAsync(RequestTransaction tx, ProposeChangeRequest request)
    {
        var environment = RequestFields.Environment(request.Environment);
        var submission = Submission.Of(request.Content, request.Format, environment, request.Region);
        var job = await JobCheck.CheckAsync(tx, submission, Verb.ChangeRequestSubmit);
        var there = job.Reading.Job is { } named ? await BindingStore.FindForEditAsync(tx, new BindingKey(0, named.Tenant, environment, named.JobId)) : null;
        if (there is not null && there.Region != job.Region)
            job = request.Region.Length > 0
                ? throw Reject.Invalid("region", $"the job is bound in {there.Region}; a change does not move it to another region")
                : await JobCheck.CheckAsync(tx, submission with { Region = there.Region }, Verb.ChangeRequestSubmit);
        FindingMapping.DemandNoErrors(job.Findings);
        var open = await OpenAsync(tx, there ?? await BindAsync(tx, job), job, request.Reason);
        var answer = await ChangeLookup.AnswerAsync(tx, open.ChangeId, withContent: true);
        // Ids of rows that are rolled back would be somebody else's later.
        if (request.ValidateOnly)
            (answer.ChangeId, answer.BindingId) = (0, there?.BindingId ?? 0);
        return answer;
    }

    private static async Task<Binding> BindAsync(RequestTransaction tx, CheckedJob job)
    {
        if (await JobCreation.BindAsync(tx, [job], active: false) is not [var made])
            throw Reject.Aborted("JOB_RACED", "Somebody bound this job at the same moment; look at it and propose again.");
        return await BindingStore.FindForEditAsync(tx, new BindingKey(made.BindingId, "", "", "")) ?? throw new InvalidOperationException("A binding that was made is gone.");
    }

    /// <summary>The open change that asks for this; the one that is there where it asks for the same and still stands.</summary>
    /// <param name="binding">Held for the transaction.</param>
    /// <param name="source">Who applies it; empty: nobody in particular.</param>
    public static Task<ChangeRow> OpenAsync(RequestTransaction tx, Binding binding, CheckedJob job, string reason, string source = "") =>
        OpenAsync(tx, binding, job.Reading.ContentHash!, removes: false, SourceOf(source), reason, () => NewAsync(tx, binding, job, reason, source));

    /// <summary>The open change that takes a job away.</summary>
    /// <param name="binding">Held for the transaction.</param>
    public static Task<ChangeRow> OpenRemovalAsync(RequestTransaction tx, Binding binding, TenantPlacement placement, string reason, string source) =>
        OpenAsync(tx, binding, binding.ContentHash, removes: true, SourceOf(source), reason, () => RemovalAsync(tx, binding, placement, reason, source));

    /// <summary>Ends a removal that waits, where the artifact is back.</summary>
    /// <param name="binding">Held for the transaction.</param>
    public static async Task SupersedeRemovalAsync(RequestTransaction tx, Binding binding, long changeId, string reason)
    {
        tx.Demand(Verb.ChangeRequestSubmit, binding.TenantId, binding.Environment, $"The job {binding.BindingId}");
        if (!await ChangeStore.CloseAsync(tx, changeId, "superseded"))
            throw Reject.Aborted("CHANGE_MOVED", "Somebody closed the open change of this job at the same moment; plan again.");
        await AuditStore.AppendAsync(tx, new AuditEntry
        {
            TenantId = binding.TenantId, Environment = binding.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.ChangeRequestSubmit),
            ObjectKind = "change", ObjectId = changeId.ToString(CultureInfo.InvariantCulture), Reason = reason, After = AuditEntry.Json(new { State = "superseded" }),
        });
    }

    private static async Task<ChangeRow> OpenAsync(RequestTransaction tx, Binding binding, string contentHash, bool removes, string? source, string reason, Func<Task<NewChange>> make)
    {
        tx.Demand(Verb.ChangeRequestSubmit, binding.TenantId, binding.Environment, $"The job {binding.BindingId}");
        var former = await ChangeStore.FindOpenAsync(tx, binding.BindingId);
        if (former is { IsStale: false, Expired: false } && former.ContentHash == contentHash && former.Removes == removes && (source is null || former.Source == source))
            return former;
        if (former is not null && !await ChangeStore.CloseAsync(tx, former.ChangeId, "superseded"))
            throw Reject.Aborted("CHANGE_MOVED", "Somebody closed the open change of this job at the same moment; look at it and propose again.");
        var change = await make();
        var id = await ChangeStore.InsertAsync(tx, change);
        await AuditStore.AppendAsync(tx, new AuditEntry
        {
            TenantId = binding.TenantId, Environment = binding.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.ChangeRequestSubmit),
            ObjectKind = "change", ObjectId = id.ToString(CultureInfo.InvariantCulture), Reason = reason,
            After = AuditEntry.Json(new { change.BindingId, change.Kind, change.ContentHash, change.Digest, change.BaseRevision, change.PolicyVersion, change.CalendarVersion, Supersedes = former?.ChangeId }),
        });
        return await ChangeStore.FindAsync(tx, id) ?? throw new InvalidOperationException("A change that was stored is gone.");
    }

    private static async Task<NewChange> NewAsync(RequestTransaction tx, Binding binding, CheckedJob job, string reason, string source)
    {
        var defId = await DefinitionStore.PutAsync(tx, job);
        var needs = job.Placement!.RequiresApproval ? await NeedsAsync(tx, binding, job) : [];
        // Which tables a job loads and builds its KPI's contract says.
        string[]? tables = RunStages.Of(job.Job.Run).IsKpiAlone ? null : [.. job.Contract!.GdpDependencies.Order(StringComparer.Ordinal)];
        var change = new NewChange
        {
            TenantId = binding.TenantId, Environment = binding.Environment, Region = binding.Region, JobId = binding.JobId, BindingId = binding.BindingId,
            Tables = tables, TableContracts = tables is null ? null : TableContracts.Of(tables, await ChangeStore.UsableAsync(tx, binding.TenantId, tables))!.ToJsonString(),
            Kind = binding.IsUnreleased ? "create" : "update", DefId = defId, ContentHash = job.Reading.ContentHash!, Format = job.Submission.Format.Word(),
            Content = job.Submission.Content, BaseDefId = binding.IsUnreleased ? null : binding.DefId, BaseRevision = binding.Revision, ContractDigest = job.ContractDigest,
            PolicyVersion = job.Placement!.PolicyVersion, Calendar = job.Calendar?.Name, CalendarVersion = job.Calendar?.Version, Digest = "", Required = AuditEntry.Json(needs), Author = tx.Caller.Principal, Reason = reason, Source = SourceOf(source), Life = Life,
        };
        return change with { Digest = ChangeDigest.Of(change) };
    }

    // The definition stays: what is agreed to is that it is scheduled no more.
    private static async Task<NewChange> RemovalAsync(RequestTransaction tx, Binding binding, TenantPlacement placement, string reason, string source)
    {
        var row = await JobStore.FindAsync(tx, binding.BindingId);
        var job = ArtifactReader.ReadCanonical(row.CanonicalJson)!;
        var contract = await ContractStore.FindAsync(tx, binding.TenantId, binding.KpiId, binding.ContractVersion);
        var needs = contract is null || !placement.RequiresApproval ? [] : Approvals.Needed(job, JobCheck.Understand(contract), job, JobCheck.Understand(contract));
        var change = new NewChange
        {
            TenantId = binding.TenantId, Environment = binding.Environment, Region = binding.Region, JobId = binding.JobId, BindingId = binding.BindingId,
            Kind = Removal, DefId = binding.DefId, ContentHash = binding.ContentHash, Format = row.Format, Content = row.Content, BaseDefId = binding.DefId,
            BaseRevision = binding.Revision, ContractDigest = row.ContractDigest, PolicyVersion = placement.PolicyVersion, Digest = "", Required = AuditEntry.Json(needs),
            Author = tx.Caller.Principal, Reason = reason, Source = SourceOf(source), Life = Life,
        };
        return change with { Digest = ChangeDigest.Of(change) };
    }

    private static string? SourceOf(string source) => source.Length > 0 ? source : null;

    private static async Task<IReadOnlyList<ApprovalNeed>> NeedsAsync(RequestTransaction tx, Binding binding, CheckedJob job)
    {
        if (binding.IsUnreleased)
            return Approvals.Needed(null, null, job.Job, job.Contract!);
        var row = await JobStore.FindAsync(tx, binding.BindingId);
        var contract = await ContractStore.FindAsync(tx, binding.TenantId, binding.KpiId, binding.ContractVersion);
        MetricContract? boundContract = contract is null ? null : JobCheck.Understand(contract);
        return Approvals.Needed(ArtifactReader.ReadCanonical(row.CanonicalJson)!, boundContract, job.Job, job.Contract!);
    }
}
