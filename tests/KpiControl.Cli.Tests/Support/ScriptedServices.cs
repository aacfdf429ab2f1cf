using Grpc.Core;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Tests.Support;

internal sealed class ScriptedJobs(Script script) : JobService.JobServiceBase
{
    public override Task<CreateJobResponse> CreateJob(CreateJobRequest request, ServerCallContext context) => script.Answer<CreateJobRequest, CreateJobResponse>(request, context);
    public override Task<UpdateJobResponse> UpdateJob(UpdateJobRequest request, ServerCallContext context) => script.Answer<UpdateJobRequest, UpdateJobResponse>(request, context);
    public override Task<Job> GetJob(GetJobRequest request, ServerCallContext context) => script.Answer<GetJobRequest, Job>(request, context);
    public override Task<ListJobsResponse> ListJobs(ListJobsRequest request, ServerCallContext context) => script.Answer<ListJobsRequest, ListJobsResponse>(request, context);
    public override Task<Job> PauseJob(PauseJobRequest request, ServerCallContext context) => script.Answer<PauseJobRequest, Job>(request, context);
    public override Task<Job> ResumeJob(ResumeJobRequest request, ServerCallContext context) => script.Answer<ResumeJobRequest, Job>(request, context);
    public override Task<TriggerJobResponse> TriggerJob(TriggerJobRequest request, ServerCallContext context) => script.Answer<TriggerJobRequest, TriggerJobResponse>(request, context);
    public override Task<CancelOccurrenceResponse> CancelOccurrence(CancelOccurrenceRequest request, ServerCallContext context) => script.Answer<CancelOccurrenceRequest, CancelOccurrenceResponse>(request, context);
    public override Task<Backfill> BackfillJob(BackfillJobRequest request, ServerCallContext context) => script.Answer<BackfillJobRequest, Backfill>(request, context);
    public override Task<Backfill> GetBackfill(GetBackfillRequest request, ServerCallContext context) => script.Answer<GetBackfillRequest, Backfill>(request, context);
    public override Task<ListBackfillsResponse> ListBackfills(ListBackfillsRequest request, ServerCallContext context) => script.Answer<ListBackfillsRequest, ListBackfillsResponse>(request, context);
    public override Task<Backfill> CancelBackfill(CancelBackfillRequest request, ServerCallContext context) => script.Answer<CancelBackfillRequest, Backfill>(request, context);
    public override Task<ReplayRunResponse> ReplayRun(ReplayRunRequest request, ServerCallContext context) => script.Answer<ReplayRunRequest, ReplayRunResponse>(request, context);
    public override Task<ListRunsResponse> ListRuns(ListRunsRequest request, ServerCallContext context) => script.Answer<ListRunsRequest, ListRunsResponse>(request, context);
    public override Task<RunDetail> GetRun(GetRunRequest request, ServerCallContext context) => script.Answer<GetRunRequest, RunDetail>(request, context);
    public override Task<LineageGraph> GetLineage(GetLineageRequest request, ServerCallContext context) => script.Answer<GetLineageRequest, LineageGraph>(request, context);
    public override Task<PreviewScheduleResponse> PreviewSchedule(PreviewScheduleRequest request, ServerCallContext context) => script.Answer<PreviewScheduleRequest, PreviewScheduleResponse>(request, context);
    public override Task<ExplainOccurrenceResponse> ExplainOccurrence(ExplainOccurrenceRequest request, ServerCallContext context) => script.Answer<ExplainOccurrenceRequest, ExplainOccurrenceResponse>(request, context);

    public override async Task WatchJobs(WatchJobsRequest request, IServerStreamWriter<JobEvent> responseStream, ServerCallContext context)
    {
        foreach (var happened in await script.Answer<WatchJobsRequest, IEnumerable<JobEvent>>(request, context))
            await responseStream.WriteAsync(happened, context.CancellationToken);
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.CancellationToken);
    }
}

internal sealed class ScriptedCatalog(Script script) : CatalogService.CatalogServiceBase
{
    public override Task<Contract> PutContract(PutContractRequest request, ServerCallContext context) => script.Answer<PutContractRequest, Contract>(request, context);
    public override Task<Contract> GetContract(GetContractRequest request, ServerCallContext context) => script.Answer<GetContractRequest, Contract>(request, context);
    public override Task<ListContractsResponse> ListContracts(ListContractsRequest request, ServerCallContext context) => script.Answer<ListContractsRequest, ListContractsResponse>(request, context);
    public override Task<Contract> SetContractStatus(SetContractStatusRequest request, ServerCallContext context) => script.Answer<SetContractStatusRequest, Contract>(request, context);
}

internal sealed class ScriptedSignals(Script script) : SignalService.SignalServiceBase
{
    public override Task<PublishSignalResponse> PublishSignal(PublishSignalRequest request, ServerCallContext context) => script.Answer<PublishSignalRequest, PublishSignalResponse>(request, context);
    public override Task<PublishRefreshResponse> PublishRefresh(PublishRefreshRequest request, ServerCallContext context) => script.Answer<PublishRefreshRequest, PublishRefreshResponse>(request, context);
    public override Task<ListSignalsResponse> ListSignals(ListSignalsRequest request, ServerCallContext context) => script.Answer<ListSignalsRequest, ListSignalsResponse>(request, context);
}

internal sealed class ScriptedFleet(Script script) : FleetService.FleetServiceBase
{
    public override Task<ListAgentsResponse> ListAgents(ListAgentsRequest request, ServerCallContext context) => script.Answer<ListAgentsRequest, ListAgentsResponse>(request, context);
    public override Task<Agent> DrainAgent(DrainAgentRequest request, ServerCallContext context) => script.Answer<DrainAgentRequest, Agent>(request, context);
    public override Task<Agent> ResumeAgent(ResumeAgentRequest request, ServerCallContext context) => script.Answer<ResumeAgentRequest, Agent>(request, context);
    public override Task<Epoch> GetEpoch(GetEpochRequest request, ServerCallContext context) => script.Answer<GetEpochRequest, Epoch>(request, context);
    public override Task<Epoch> BumpEpoch(BumpEpochRequest request, ServerCallContext context) => script.Answer<BumpEpochRequest, Epoch>(request, context);
}

internal sealed class ScriptedDoctor(Script script) : DoctorService.DoctorServiceBase
{
    public override Task<DiagnoseResponse> Diagnose(DiagnoseRequest request, ServerCallContext context) => script.Answer<DiagnoseRequest, DiagnoseResponse>(request, context);
}

internal sealed class ScriptedMonitor(Script script) : MonitorService.MonitorServiceBase
{
    public override Task<LoadMap> GetLoadMap(GetLoadMapRequest request, ServerCallContext context) => script.Answer<GetLoadMapRequest, LoadMap>(request, context);
    public override Task<Overview> GetOverview(GetOverviewRequest request, ServerCallContext context) => script.Answer<GetOverviewRequest, Overview>(request, context);
}

internal sealed class ScriptedAlerts(Script script) : AlertService.AlertServiceBase
{
    public override Task<ListSlaStatesResponse> ListSlaStates(ListSlaStatesRequest request, ServerCallContext context) => script.Answer<ListSlaStatesRequest, ListSlaStatesResponse>(request, context);
    public override Task<ReportSlaResponse> ReportSla(ReportSlaRequest request, ServerCallContext context) => script.Answer<ReportSlaRequest, ReportSlaResponse>(request, context);
    public override Task<ListEpisodesResponse> ListEpisodes(ListEpisodesRequest request, ServerCallContext context) => script.Answer<ListEpisodesRequest, ListEpisodesResponse>(request, context);
    public override Task<Episode> GetEpisode(GetEpisodeRequest request, ServerCallContext context) => script.Answer<GetEpisodeRequest, Episode>(request, context);
    public override Task<Episode> AcknowledgeEpisode(AcknowledgeEpisodeRequest request, ServerCallContext context) => script.Answer<AcknowledgeEpisodeRequest, Episode>(request, context);
    public override Task<ListDeadAlertsResponse> ListDeadAlerts(ListDeadAlertsRequest request, ServerCallContext context) => script.Answer<ListDeadAlertsRequest, ListDeadAlertsResponse>(request, context);
    public override Task<DeadAlert> ResendAlert(ResendAlertRequest request, ServerCallContext context) => script.Answer<ResendAlertRequest, DeadAlert>(request, context);
    public override Task<Episode> SilenceEpisode(SilenceEpisodeRequest request, ServerCallContext context) => script.Answer<SilenceEpisodeRequest, Episode>(request, context);
}

internal sealed class ScriptedLineage(Script script) : LineageService.LineageServiceBase
{
    public override Task<ListDeadEventsResponse> ListDeadEvents(ListDeadEventsRequest request, ServerCallContext context) => script.Answer<ListDeadEventsRequest, ListDeadEventsResponse>(request, context);
    public override Task<ResendEventsResponse> ResendEvents(ResendEventsRequest request, ServerCallContext context) => script.Answer<ResendEventsRequest, ResendEventsResponse>(request, context);
}

internal sealed class ScriptedDrift(Script script) : DriftService.DriftServiceBase
{
    public override Task<Override> SetOverride(SetOverrideRequest request, ServerCallContext context) => script.Answer<SetOverrideRequest, Override>(request, context);
    public override Task<Override> ClearOverride(ClearOverrideRequest request, ServerCallContext context) => script.Answer<ClearOverrideRequest, Override>(request, context);
    public override Task<ListOverridesResponse> ListOverrides(ListOverridesRequest request, ServerCallContext context) => script.Answer<ListOverridesRequest, ListOverridesResponse>(request, context);
}

internal sealed class ScriptedRestatements(Script script) : RestatementService.RestatementServiceBase
{
    public override Task<ListRestatementsResponse> ListRestatements(ListRestatementsRequest request, ServerCallContext context) => script.Answer<ListRestatementsRequest, ListRestatementsResponse>(request, context);
    public override Task<Restatement> GetRestatement(GetRestatementRequest request, ServerCallContext context) => script.Answer<GetRestatementRequest, Restatement>(request, context);
    public override Task<Restatement> AcceptRestatement(AcceptRestatementRequest request, ServerCallContext context) => script.Answer<AcceptRestatementRequest, Restatement>(request, context);
    public override Task<Restatement> DeclineRestatement(DeclineRestatementRequest request, ServerCallContext context) => script.Answer<DeclineRestatementRequest, Restatement>(request, context);
    public override Task<Restatement> ApproveRestatement(DecideRestatementRequest request, ServerCallContext context) => script.Answer<DecideRestatementRequest, Restatement>(request, context);
    public override Task<Restatement> RejectRestatement(DecideRestatementRequest request, ServerCallContext context) => script.Answer<DecideRestatementRequest, Restatement>(request, context);
}

internal sealed class ScriptedChanges(Script script) : ChangeService.ChangeServiceBase
{
    public override Task<Plan> PlanJobs(PlanJobsRequest request, ServerCallContext context) => script.Answer<PlanJobsRequest, Plan>(request, context);
    public override Task<ApplyPlanResponse> ApplyPlan(ApplyPlanRequest request, ServerCallContext context) => script.Answer<ApplyPlanRequest, ApplyPlanResponse>(request, context);
    public override Task<Change> ProposeChange(ProposeChangeRequest request, ServerCallContext context) => script.Answer<ProposeChangeRequest, Change>(request, context);
    public override Task<Change> GetChange(GetChangeRequest request, ServerCallContext context) => script.Answer<GetChangeRequest, Change>(request, context);
    public override Task<ListChangesResponse> ListChanges(ListChangesRequest request, ServerCallContext context) => script.Answer<ListChangesRequest, ListChangesResponse>(request, context);
    public override Task<Change> ApproveChange(DecideChangeRequest request, ServerCallContext context) => script.Answer<DecideChangeRequest, Change>(request, context);
    public override Task<ListReviewsResponse> ListReviews(ListReviewsRequest request, ServerCallContext context) => script.Answer<ListReviewsRequest, ListReviewsResponse>(request, context);
    public override Task<ChangeReview> CloseReview(CloseReviewRequest request, ServerCallContext context) => script.Answer<CloseReviewRequest, ChangeReview>(request, context);
    public override Task<Change> ApplyChange(ApplyChangeRequest request, ServerCallContext context) => script.Answer<ApplyChangeRequest, Change>(request, context);
}

internal sealed class ScriptedTenants(Script script) : TenantService.TenantServiceBase
{
    public override Task<TenantPolicy> GetPolicy(GetPolicyRequest request, ServerCallContext context) => script.Answer<GetPolicyRequest, TenantPolicy>(request, context);
    public override Task<TenantPolicy> PutPolicy(PutPolicyRequest request, ServerCallContext context) => script.Answer<PutPolicyRequest, TenantPolicy>(request, context);
}
