using Grpc.Core;
using KpiControl.Control.Provenance;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Runs;

/// <summary>What JobService asks of runs.</summary>
internal sealed class RunReads(RunHistory history, SchedulePreview preview, OccurrenceExplanation explanation, JobWatch watch, LineageReads lineage)
{
    public Task<ListRunsResponse> ListAsync(Caller caller, ListRunsRequest request, CancellationToken token) => history.ListAsync(caller, request, token);

    public Task<RunDetail> GetAsync(Caller caller, GetRunRequest request, CancellationToken token) => history.GetAsync(caller, request, token);

    public Task<LineageGraph> LineageAsync(Caller caller, GetLineageRequest request, CancellationToken token) => lineage.GetAsync(caller, request, token);

    public Task<PreviewScheduleResponse> PreviewAsync(Caller caller, PreviewScheduleRequest request, CancellationToken token) =>
        preview.PreviewAsync(caller, request, token);

    public Task<ExplainOccurrenceResponse> ExplainAsync(Caller caller, ExplainOccurrenceRequest request, CancellationToken token) =>
        explanation.ExplainAsync(caller, request, token);

    /// <summary>Until the caller has gone.</summary>
    public Task WatchAsync(Caller caller, WatchJobsRequest request, IServerStreamWriter<JobEvent> events, CancellationToken token) =>
        watch.WatchAsync(caller, request, events, token);
}
