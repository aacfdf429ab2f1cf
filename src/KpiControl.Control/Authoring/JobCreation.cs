using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Audit;
using KpiControl.Control.Changes;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Authoring;

/// <summary>POST: the definition, its binding and everything that hangs off it, in one transaction.</summary>
internal static class JobCreation
{
    public static async Task<CreateJobResponse> CreateAsync(RequestTransaction tx, CreateJobRequest request)
    {
        var job = await JobCheck.CheckAsync(tx, Submission.Of(request.Content, request.Format, request.Environment, request.Region), Verb.Create);
        FindingMapping.DemandNoErrors(job.Findings);

        var defId = await DefinitionStore.PutAsync(tx, job);
        var isReleased = !job.Placement!.RequiresApproval;
        var bindingId = await PlacementStore.InsertAsync(tx, defId, job, active: isReleased);
        var response = bindingId is { } id ? await BindAsync(tx, id, defId, job, active: isReleased) : await ExistingAsync(tx, job);
        if (!isReleased)
            response.ChangeId = await ChangeOfAsync(tx, response.BindingId, job);
        response.NeedsApproval = response.ChangeId > 0;
        response.Findings.AddRange(job.Findings.Select(finding => finding.ToProto()));
        // Ids of rows that are rolled back would be somebody else's later.
        if (request.ValidateOnly)
            response.ChangeId = 0;
        if (request.ValidateOnly && response.Created)
            (response.BindingId, response.DefId) = (0, 0);
        return response;
    }

    /// <summary>A binding that nobody has agreed to yet: it is there, and starts nothing.</summary>
    public static async Task<long> BindInactiveAsync(RequestTransaction tx, long defId, CheckedJob job)
    {
        var id = await PlacementStore.InsertAsync(tx, defId, job, active: false)
            ?? throw Reject.Aborted("JOB_RACED", "Somebody bound this job at the same moment; look at it and propose again.");
        await BindAsync(tx, id, defId, job, active: false);
        return id;
    }

    private static async Task<CreateJobResponse> BindAsync(RequestTransaction tx, long bindingId, long defId, CheckedJob job, bool active)
    {
        var artifact = job.Job;
        var schedule = BoundJob.Schedule(artifact.Schedule, bindingId);
        var next = active ? schedule.Next(await CursorStore.NowAsync(tx)) : null;
        await PlacementStore.ReviseAsync(tx, bindingId, schedule.ZoneVersion, "");
        await PlacementStore.ReplaceDependenciesAsync(tx, bindingId, artifact);
        await PlacementStore.ReplacePromisesAsync(tx, bindingId, artifact);
        await AuditStore.AppendAsync(tx, new AuditEntry
        {
            TenantId = artifact.Tenant, Environment = job.Submission.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.Create),
            ObjectKind = "binding", ObjectId = bindingId.ToString(CultureInfo.InvariantCulture),
            After = AuditEntry.Json(new { job.Reading.ContentHash, job.Region, artifact.JobId, artifact.KpiId, artifact.ContractVersion, Revision = 1, Active = active }),
        });
        // Last: what everybody contends for is held for the shortest time.
        var lane = await CursorStore.LaneAsync(tx, job.Region!, artifact.Run.Priority);
        await CursorStore.InsertAsync(tx, bindingId, artifact.Tenant, lane, active, next);
        await CursorStore.TellAsync(tx, $"lane {lane}");
        return Answer(bindingId, defId, job, revision: 1, next, created: true);
    }

    // 0 where the same artifact is bound and in force: there is nothing left to agree to.
    private static async Task<long> ChangeOfAsync(RequestTransaction tx, long bindingId, CheckedJob job)
    {
        var binding = await BindingStore.FindForEditAsync(tx, new BindingKey(bindingId, "", "", "")) ?? throw new InvalidOperationException("A binding that exists cannot be read.");
        return binding.IsUnreleased ? (await Proposals.OpenAsync(tx, binding, job, "")).ChangeId : 0;
    }

    private static async Task<CreateJobResponse> ExistingAsync(RequestTransaction tx, CheckedJob job)
    {
        var key = new BindingKey(0, job.Job.Tenant, job.Submission.Environment, job.Job.JobId);
        var binding = await BindingStore.FindAsync(tx, key) ?? throw new InvalidOperationException("A binding that exists cannot be read.");
        var name = $"{key.Tenant}/{key.Environment}/{key.JobId}";
        if (binding.ContentHash != job.Reading.ContentHash || binding.Region != job.Region)
            throw Reject.Exists("JOB_EXISTS",
                binding.Region != job.Region
                    ? $"{name} is bound in region {binding.Region} as binding {binding.BindingId}."
                    : $"{name} is bound with another definition as binding {binding.BindingId}; change it with PUT /api/kpi-jobs/{binding.BindingId}.",
                ("binding_id", binding.BindingId.ToString(CultureInfo.InvariantCulture)), ("content_hash", binding.ContentHash), ("region", binding.Region));
        return Answer(binding.BindingId, binding.DefId, job, binding.Revision, await JobStore.NextRunAsync(tx, binding.BindingId), created: false);
    }

    private static CreateJobResponse Answer(long bindingId, long defId, CheckedJob job, int revision, DateTimeOffset? next, bool created) => new()
    {
        BindingId = bindingId, DefId = defId, ContentHash = job.Reading.ContentHash, Etag = Etags.Of(revision), Created = created,
        Tenant = job.Job.Tenant, Environment = job.Submission.Environment, Region = job.Region, JobId = job.Job.JobId, NextRunAt = next?.ToTimestamp(),
    };
}
