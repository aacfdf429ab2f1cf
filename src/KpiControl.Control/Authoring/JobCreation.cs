using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Control.Audit;
using KpiControl.Control.Catalog;
using KpiControl.Control.Changes;
using KpiControl.Control.Drift;
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

        var isReleased = !job.Placement!.RequiresApproval;
        var response = await BindAsync(tx, [job], active: isReleased) is [var made] ? Answer(made) : await ExistingAsync(tx, job);
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

    /// <summary>Definitions, bindings and all that hangs off them; jobs that somebody bound at the same moment are missing from the answer.</summary>
    /// <param name="active">False: nobody has agreed to them yet, and they start nothing.</param>
    /// <param name="source">Who applies them; empty: nobody in particular.</param>
    public static async Task<IReadOnlyList<MadeBinding>> BindAsync(RequestTransaction tx, IReadOnlyList<CheckedJob> jobs, bool active, string source = "")
    {
        var defIds = await DefinitionStore.PutAsync(tx, jobs);
        var ids = await PlacementStore.InsertAsync(tx, defIds, jobs, active, source);
        var now = await CursorStore.NowAsync(tx);
        var made = jobs.Where(job => ids.ContainsKey(job.Job.JobId)).Select(job =>
        {
            var id = ids[job.Job.JobId];
            var schedule = BoundJob.Schedule(job.Job.Schedule, id, job.Calendar?.Understand());
            return new MadeBinding(id, defIds[job.Reading.ContentHash!], job, schedule.ZoneVersion, active ? schedule.NextExpected(now) : null);
        }).ToList();
        if (made.Count == 0)
            return made;
        await CalendarPins.HoldAsync(tx, made.Select(binding => binding.Job));
        if (active)
            await ReleaseGate.DemandAsync(tx, made[0].Job.Job.Tenant, made[0].Job.Submission.Environment);
        List<BoundArtifact> bound = [.. made.Select(binding => new BoundArtifact(binding.BindingId, binding.Job.Job))];
        await PlacementStore.ReviseAsync(tx, [.. made.Select(binding => new NewRevision(binding.BindingId, binding.ZoneVersion, ""))]);
        await PlacementStore.ReplaceDependenciesAsync(tx, bound);
        await PlacementStore.ReplacePromisesAsync(tx, bound);
        await AuditStore.AppendAsync(tx, [.. made.Select(binding => new AuditEntry
        {
            TenantId = binding.Job.Job.Tenant, Environment = binding.Job.Submission.Environment, Actor = tx.Caller.Principal, Verb = nameof(Verb.Create),
            ObjectKind = "binding", ObjectId = binding.BindingId.ToString(CultureInfo.InvariantCulture), After = Facts(binding, active, source),
        })]);
        if (active)
            await WriteBackStore.ApplyAsync(tx, [.. made.Select(binding => new EnteredJob(binding.BindingId, null, ""))]);
        // Last: what everybody contends for is held for the shortest time.
        var lanes = await CursorStore.LanesAsync(tx, made.Select(binding => (binding.Job.Region!, binding.Job.Job.Run.Priority)));
        await CursorStore.InsertAsync(tx, [.. made.Select(binding =>
            new NewCursor(binding.BindingId, binding.Job.Job.Tenant, lanes[(binding.Job.Region!, binding.Job.Job.Run.Priority)], active, binding.NextRunAt))]);
        foreach (var lane in lanes.Values.Distinct())
            await CursorStore.TellAsync(tx, $"lane {lane}");
        return made;
    }

    private static string Facts(MadeBinding binding, bool active, string source)
    {
        var (job, artifact) = (binding.Job, binding.Job.Job);
        var (cron, calendar) = (BoundJob.Cron(artifact), job.Calendar);
        return source.Length == 0
            ? AuditEntry.Json(new { job.Reading.ContentHash, job.Region, artifact.JobId, artifact.KpiId, artifact.ContractVersion, ScheduleCron = cron, artifact.Schedule.Timezone, Calendar = calendar?.Name, CalendarVersion = calendar?.Version, Revision = 1, Active = active })
            : AuditEntry.Json(new { job.Reading.ContentHash, job.Region, artifact.JobId, artifact.KpiId, artifact.ContractVersion, ScheduleCron = cron, artifact.Schedule.Timezone, Calendar = calendar?.Name, CalendarVersion = calendar?.Version, Revision = 1, Active = active, Source = source });
    }

    private static CreateJobResponse Answer(MadeBinding made) => Answer(made.BindingId, made.DefId, made.Job, revision: 1, made.NextRunAt, created: true);

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

/// <summary>A binding that was made.</summary>
internal sealed record MadeBinding(long BindingId, long DefId, CheckedJob Job, string ZoneVersion, DateTimeOffset? NextRunAt);
