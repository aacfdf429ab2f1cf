using System.Globalization;
using KpiControl.Control.Catalog;
using KpiControl.Control.Changes;
using KpiControl.Control.Hosting;
using KpiControl.Control.Operations;
using KpiControl.Control.Overrides;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Control.Tenants;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;
using Finding = KpiControl.Jobs.Artifacts.Finding;

namespace KpiControl.Control.Authoring;

/// <summary>PUT: fields in place, or an artifact, which is a new definition where its hash differs, and a rebind.</summary>
internal static class JobUpdate
{
    public static async Task<UpdateJobResponse> UpdateAsync(RequestTransaction tx, UpdateJobRequest request)
    {
        var binding = await BindingLookup.ResolveForEditAsync(tx, new(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Update);
        var hasFields = request.HasActiveFlag || request.HasPausedUntil || request.HasScheduleCron || request.HasTimezone;
        if (hasFields && request.Content.Length > 0)
            throw Reject.Invalid("content", "comes with fields: send either an artifact or fields, not both");
        if (!hasFields && request.Content.Length == 0)
            throw Reject.Invalid("", "Nothing to change: send an artifact as content, or any of active_flag, paused_until, schedule_cron, timezone.");
        if (request.ExpiresAt is not null && (!request.HasScheduleCron || request.HasTimezone || request.HasActiveFlag))
            throw Reject.Invalid("expires_at", "is the end of schedule_cron alone: a pause has paused_until, and what else is edited has no end");
        DemandVerbs(tx, request, binding);
        Etags.Demand(request.Etag, binding.Revision);
        return hasFields ? await EditFieldsAsync(tx, binding, request) : await RebindAsync(tx, binding, request);
    }

    private static void DemandVerbs(RequestTransaction tx, UpdateJobRequest request, Binding binding)
    {
        void Demand(Verb verb) => tx.Demand(verb, binding.TenantId, binding.Environment, $"The job {binding.BindingId}");
        if (request.HasScheduleCron || request.HasTimezone)
            Demand(Verb.ScheduleEdit);
        if (request.HasPausedUntil)
            Demand(request.PausedUntil.Length == 0 ? Verb.Resume : Verb.Pause);
    }

    private static async Task<UpdateJobResponse> EditFieldsAsync(RequestTransaction tx, Binding binding, UpdateJobRequest request)
    {
        // A pause is an operation, never a change that needs approval; everything else here is one.
        if (request.ExpiresAt is { } until)
            await Overrides.Overrides.SetAsync(tx, new SetOverrideRequest { BindingId = binding.BindingId, Kind = OverrideKind.Schedule, Value = request.ScheduleCron, ExpiresAt = until, Reason = request.Reason });
        else if (request.HasActiveFlag || request.HasScheduleCron || request.HasTimezone)
            await EditScheduleAsync(tx, binding, request);
        if (request.HasPausedUntil)
            await EditPauseAsync(tx, binding, request);
        return await AnswerAsync(tx, binding.BindingId, rebound: false, []);
    }

    private static async Task EditScheduleAsync(RequestTransaction tx, Binding binding, UpdateJobRequest request)
    {
        var row = await JobStore.FindAsync(tx, binding.BindingId);
        var job = ArtifactReader.ReadCanonical(row.CanonicalJson)!;
        var edited = JobEdit.Apply(binding, job, row.CanonicalJson, request.HasScheduleCron ? request.ScheduleCron : null,
            request.HasTimezone ? request.Timezone : null, request.HasActiveFlag ? request.ActiveFlag : null);
        var placement = await TenantStore.PlacementAsync(tx, binding.TenantId, binding.Environment);
        if (placement is null or { RequiresApproval: true })
            throw Reject.Precondition("APPROVAL_REQUIRED", $"{binding.TenantId}/{binding.Environment}/{binding.JobId}",
                $"The policy of {binding.TenantId} asks for approval of changes in {binding.Environment}: send the artifact with the schedule that it is to have, which opens a change, or schedule_cron with expires_at, which overrides it until then. Nothing was stored.");
        if (edited == binding)
            return;
        if (edited.ActiveFlag && job.Schedule.Calendar is not null)
            edited = await CalendarPins.OnLatestAsync(tx, job, edited);
        if (!await PlacementStore.TweakAsync(tx, edited))
            throw new InvalidOperationException("A binding changed while it was held.");
        await JobRebind.PutInForceAsync(tx, [new EnteringJob(binding, edited, job, job, new Rebinding(request.Reason))]);
    }

    private static async Task EditPauseAsync(RequestTransaction tx, Binding binding, UpdateJobRequest request)
    {
        if (request.PausedUntil.Length == 0)
        {
            if (!await Pauses.ResumeAsync(tx, binding, request.Reason))
                throw Reject.Precondition("NOT_PAUSED", $"{binding.BindingId}", "The job is not paused.");
            return;
        }
        var until = request.PausedUntil == "infinity" ? (DateTimeOffset?)null
            : DateTimeOffset.TryParse(request.PausedUntil, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) && request.PausedUntil.Contains('T', StringComparison.Ordinal)
                ? at.ToUniversalTime()
                : throw Reject.Invalid("paused_until", "is neither an instant like 2025-08-23T10:00:00Z, nor infinity, nor empty to resume");
        await Pauses.PauseAsync(tx, binding, until, request.Reason);
    }

    private static async Task<UpdateJobResponse> RebindAsync(RequestTransaction tx, Binding binding, UpdateJobRequest request)
    {
        var job = await JobCheck.CheckAsync(tx, Submission.Of(request.Content, request.Format, binding.Environment, binding.Region), Verb.Update);
        FindingMapping.DemandNoErrors(job.Findings);
        if (job.Job.Tenant != binding.TenantId || job.Job.JobId != binding.JobId)
            throw Reject.Invalid(job.Job.Tenant != binding.TenantId ? "/tenant" : "/job_id",
                $"the binding is of {binding.TenantId}/{binding.JobId}; another tenant's or job's artifact is created with POST /api/kpi-jobs");
        var isSame = job.Reading.ContentHash == binding.ContentHash;
        // One that its source had no more comes back; one that is not released yet is proposed again, where the former change no longer stands.
        if (isSame && !binding.ScheduleOverridden && binding.PrunedAt is null && !(binding.IsUnreleased && job.Placement!.RequiresApproval))
            return await AnswerAsync(tx, binding.BindingId, rebound: false, job.Findings);
        if (job.Placement!.RequiresApproval)
            return await ProposeAsync(tx, binding, job, request);
        await JobRebind.ApplyAsync(tx, binding, job, new Rebinding(request.Reason, Activate: binding.PrunedAt is not null));
        return await AnswerAsync(tx, binding.BindingId, rebound: !isSame, job.Findings);
    }

    private static async Task<UpdateJobResponse> ProposeAsync(RequestTransaction tx, Binding binding, CheckedJob job, UpdateJobRequest request)
    {
        var change = await Proposals.OpenAsync(tx, binding, job, request.Reason);
        var response = await AnswerAsync(tx, binding.BindingId, rebound: false, job.Findings);
        // An id that is rolled back would be somebody else's later.
        (response.ChangeId, response.NeedsApproval) = (request.ValidateOnly ? 0 : change.ChangeId, true);
        return response;
    }

    private static async Task<UpdateJobResponse> AnswerAsync(RequestTransaction tx, long bindingId, bool rebound, IReadOnlyList<Finding> findings)
    {
        var job = await JobReads.GetAsync(tx, bindingId);
        var response = new UpdateJobResponse
        {
            BindingId = bindingId, DefId = job.DefId, ContentHash = job.ContentHash, Etag = job.Etag, Rebound = rebound, Job = job,
        };
        response.Findings.AddRange(findings.Select(finding => finding.ToProto()));
        return response;
    }
}
