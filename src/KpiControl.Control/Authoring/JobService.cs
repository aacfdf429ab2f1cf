using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Operations;
using KpiControl.Control.Requests;
using KpiControl.Control.Runs;
using KpiControl.Control.Security;
using KpiControl.Control.Signals;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Authoring;

/// <summary>Jobs on the wire: each method reads its request, makes one call, and answers.</summary>
internal sealed class JobService(Databases databases, Mutations mutations, RunReads runs, DependencyWaits waits) : Protocol.V1.JobService.JobServiceBase
{
    public override async Task<ValidateJobResponse> ValidateJob(ValidateJobRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var job = await JobCheck.CheckAsync(tx, Submission.Of(request.Content, request.Format, request.Environment, request.Region), Verb.Read);
        var response = new ValidateJobResponse
        {
            Valid = job.Findings.All(finding => finding.Severity != Severity.Error),
            ContentHash = job.Reading.ContentHash ?? "", CanonicalJson = job.Reading.CanonicalJson ?? "",
        };
        response.Findings.AddRange(job.Findings.Select(finding => finding.ToProto()));
        return response;
    }

    public override Task<CreateJobResponse> CreateJob(CreateJobRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => JobCreation.CreateAsync(tx, request), context.CancellationToken);

    public override async Task<UpdateJobResponse> UpdateJob(UpdateJobRequest request, ServerCallContext context)
    {
        var response = await mutations.RunAsync(request, context.Caller(), tx => JobUpdate.UpdateAsync(tx, request), context.CancellationToken);
        // After the commit, as everywhere: what waits under the new definition waits for what that names, and may have it already.
        if (response.Rebound && !request.ValidateOnly)
            await waits.BeginAsync([response.BindingId], context.CancellationToken);
        return response;
    }

    public override async Task<Job> GetJob(GetJobRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var binding = await BindingLookup.ResolveAsync(tx, new(request.BindingId, request.Tenant, request.Environment, request.JobId), Verb.Read);
        return await JobReads.GetAsync(tx, binding.BindingId, withContent: true);
    }

    public override async Task<ListJobsResponse> ListJobs(ListJobsRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await JobReads.ListAsync(tx, request);
    }

    public override Task<Job> PauseJob(PauseJobRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Pauses.PauseAsync(tx, request), context.CancellationToken);

    public override Task<Job> ResumeJob(ResumeJobRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Pauses.ResumeAsync(tx, request), context.CancellationToken);

    public override Task<TriggerJobResponse> TriggerJob(TriggerJobRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Triggers.TriggerAsync(tx, request), context.CancellationToken);

    public override Task<CancelOccurrenceResponse> CancelOccurrence(CancelOccurrenceRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Cancellations.CancelAsync(tx, request), context.CancellationToken);

    public override Task<Backfill> BackfillJob(BackfillJobRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Backfills.Backfills.BackfillAsync(tx, request), context.CancellationToken);

    public override async Task<Backfill> GetBackfill(GetBackfillRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await Backfills.Backfills.GetAsync(tx, request.BackfillId);
    }

    public override async Task<ListBackfillsResponse> ListBackfills(ListBackfillsRequest request, ServerCallContext context)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        return await Backfills.Backfills.ListAsync(tx, request);
    }

    public override Task<Backfill> CancelBackfill(CancelBackfillRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Backfills.Backfills.CancelAsync(tx, request), context.CancellationToken);

    public override Task<ReplayRunResponse> ReplayRun(ReplayRunRequest request, ServerCallContext context) =>
        mutations.RunAsync(request, context.Caller(), tx => Backfills.Replays.ReplayAsync(tx, request), context.CancellationToken);

    public override Task<ListRunsResponse> ListRuns(ListRunsRequest request, ServerCallContext context) =>
        runs.ListAsync(context.Caller(), request, context.CancellationToken);

    public override Task<RunDetail> GetRun(GetRunRequest request, ServerCallContext context) =>
        runs.GetAsync(context.Caller(), request, context.CancellationToken);

    public override Task<LineageGraph> GetLineage(GetLineageRequest request, ServerCallContext context) =>
        runs.LineageAsync(context.Caller(), request, context.CancellationToken);

    public override Task<PreviewScheduleResponse> PreviewSchedule(PreviewScheduleRequest request, ServerCallContext context) =>
        runs.PreviewAsync(context.Caller(), request, context.CancellationToken);

    public override Task<ExplainOccurrenceResponse> ExplainOccurrence(ExplainOccurrenceRequest request, ServerCallContext context) =>
        runs.ExplainAsync(context.Caller(), request, context.CancellationToken);

    public override Task WatchJobs(WatchJobsRequest request, IServerStreamWriter<JobEvent> responseStream, ServerCallContext context) =>
        runs.WatchAsync(context.Caller(), request, responseStream, context.CancellationToken);
}
