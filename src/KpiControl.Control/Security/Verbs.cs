using System.Collections.Frozen;
using static KpiControl.Control.Security.Verb;

namespace KpiControl.Control.Security;

/// <summary>What it takes to call a method.</summary>
internal abstract record Requirement
{
    /// <summary>Nobody is asked: probes.</summary>
    public sealed record Anybody : Requirement;

    /// <summary>Any valid token of a person, service or agent.</summary>
    public sealed record Authenticated : Requirement;

    /// <summary>A token that grants the verb.</summary>
    public sealed record ByVerb(Verb Verb) : Requirement;

    /// <summary>An agent's token, or its certificate.</summary>
    public sealed record Agent : Requirement;

    /// <summary>An agent's certificate, also one that expired and may still be renewed.</summary>
    public sealed record Certificate : Requirement;
}

/// <summary>The one place where each method's requirement is stated. A method that is not here cannot be called.</summary>
internal static class Verbs
{
    private static readonly FrozenDictionary<string, Requirement> ByMethod = new Dictionary<string, Requirement>
    {
        ["/kpicontrol.v1.JobService/ValidateJob"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.JobService/CreateJob"] = new Requirement.ByVerb(Create),
        ["/kpicontrol.v1.JobService/UpdateJob"] = new Requirement.ByVerb(Update),
        ["/kpicontrol.v1.JobService/GetJob"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.JobService/ListJobs"] = new Requirement.ByVerb(List),
        ["/kpicontrol.v1.JobService/PauseJob"] = new Requirement.ByVerb(Pause),
        ["/kpicontrol.v1.JobService/ResumeJob"] = new Requirement.ByVerb(Resume),
        ["/kpicontrol.v1.JobService/TriggerJob"] = new Requirement.ByVerb(Run),
        ["/kpicontrol.v1.JobService/CancelOccurrence"] = new Requirement.ByVerb(Run),
        ["/kpicontrol.v1.JobService/BackfillJob"] = new Requirement.ByVerb(Backfill),
        ["/kpicontrol.v1.JobService/GetBackfill"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.JobService/ListBackfills"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.JobService/CancelBackfill"] = new Requirement.ByVerb(Backfill),
        ["/kpicontrol.v1.JobService/ReplayRun"] = new Requirement.ByVerb(Backfill),
        ["/kpicontrol.v1.JobService/ListRuns"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.JobService/GetRun"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.JobService/GetLineage"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.JobService/PreviewSchedule"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.JobService/ExplainOccurrence"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.JobService/WatchJobs"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.ChangeService/PlanJobs"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.ChangeService/ApplyPlan"] = new Requirement.ByVerb(Update),
        ["/kpicontrol.v1.ChangeService/ProposeChange"] = new Requirement.ByVerb(ChangeRequestSubmit),
        ["/kpicontrol.v1.ChangeService/PromoteJob"] = new Requirement.ByVerb(ChangeRequestSubmit),
        ["/kpicontrol.v1.ChangeService/RollBackJob"] = new Requirement.ByVerb(Rollback),
        ["/kpicontrol.v1.ChangeService/GetChange"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.ChangeService/ListChanges"] = new Requirement.ByVerb(List),
        ["/kpicontrol.v1.ChangeService/ApproveChange"] = new Requirement.ByVerb(ChangeRequestApprove),
        ["/kpicontrol.v1.ChangeService/RejectChange"] = new Requirement.ByVerb(ChangeRequestApprove),
        ["/kpicontrol.v1.ChangeService/WithdrawChange"] = new Requirement.ByVerb(ChangeRequestSubmit),
        ["/kpicontrol.v1.ChangeService/ApplyChange"] = new Requirement.ByVerb(Publish),
        ["/kpicontrol.v1.ChangeService/ListReviews"] = new Requirement.ByVerb(List),
        ["/kpicontrol.v1.ChangeService/CloseReview"] = new Requirement.ByVerb(ChangeRequestApprove),
        ["/kpicontrol.v1.RestatementService/ListRestatements"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.RestatementService/GetRestatement"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.RestatementService/AcceptRestatement"] = new Requirement.ByVerb(Backfill),
        ["/kpicontrol.v1.RestatementService/DeclineRestatement"] = new Requirement.ByVerb(Backfill),
        ["/kpicontrol.v1.RestatementService/ApproveRestatement"] = new Requirement.ByVerb(ChangeRequestApprove),
        ["/kpicontrol.v1.RestatementService/RejectRestatement"] = new Requirement.ByVerb(ChangeRequestApprove),
        ["/kpicontrol.v1.DriftService/SetOverride"] = new Requirement.ByVerb(ScheduleEdit),
        ["/kpicontrol.v1.DriftService/ClearOverride"] = new Requirement.ByVerb(ScheduleEdit),
        ["/kpicontrol.v1.DriftService/ListOverrides"] = new Requirement.ByVerb(List),
        ["/kpicontrol.v1.DriftService/ListStores"] = new Requirement.ByVerb(List),
        ["/kpicontrol.v1.DriftService/SyncStore"] = new Requirement.ByVerb(Update),
        ["/kpicontrol.v1.DriftService/ListDrift"] = new Requirement.ByVerb(List),
        ["/kpicontrol.v1.DriftService/GetDrift"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.DriftService/ReconcileJob"] = new Requirement.ByVerb(Rollback),
        ["/kpicontrol.v1.CatalogService/PutContract"] = new Requirement.ByVerb(Publish),
        ["/kpicontrol.v1.CatalogService/GetContract"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.CatalogService/ListContracts"] = new Requirement.ByVerb(List),
        ["/kpicontrol.v1.CatalogService/SetContractStatus"] = new Requirement.ByVerb(Publish),
        ["/kpicontrol.v1.CatalogService/PutCalendar"] = new Requirement.ByVerb(Publish),
        ["/kpicontrol.v1.CatalogService/GetCalendar"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.CatalogService/ListCalendars"] = new Requirement.ByVerb(List),
        ["/kpicontrol.v1.CatalogService/ListTemplates"] = new Requirement.ByVerb(List),
        ["/kpicontrol.v1.CatalogService/RenderTemplate"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.SignalService/PublishSignal"] = new Requirement.ByVerb(Run),
        ["/kpicontrol.v1.SignalService/PublishRefresh"] = new Requirement.ByVerb(Run),
        ["/kpicontrol.v1.SignalService/ListSignals"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.FleetService/ListAgents"] = new Requirement.ByVerb(List),
        ["/kpicontrol.v1.FleetService/DrainAgent"] = new Requirement.ByVerb(Pause),
        ["/kpicontrol.v1.FleetService/ResumeAgent"] = new Requirement.ByVerb(Resume),
        ["/kpicontrol.v1.FleetService/CreateEnrolment"] = new Requirement.ByVerb(FleetManage),
        ["/kpicontrol.v1.FleetService/ListEnrolments"] = new Requirement.ByVerb(FleetManage),
        ["/kpicontrol.v1.FleetService/RevokeEnrolment"] = new Requirement.ByVerb(FleetManage),
        ["/kpicontrol.v1.FleetService/RegisterAgent"] = new Requirement.ByVerb(FleetManage),
        ["/kpicontrol.v1.FleetService/RevokeAgent"] = new Requirement.ByVerb(FleetManage),
        ["/kpicontrol.v1.FleetService/GetEpoch"] = new Requirement.ByVerb(List),
        ["/kpicontrol.v1.FleetService/BumpEpoch"] = new Requirement.ByVerb(Resume),
        ["/kpicontrol.v1.TenantService/CreateTenant"] = new Requirement.ByVerb(FleetManage),
        ["/kpicontrol.v1.TenantService/UpdateTenant"] = new Requirement.ByVerb(FleetManage),
        ["/kpicontrol.v1.TenantService/GetTenant"] = new Requirement.ByVerb(List),
        ["/kpicontrol.v1.TenantService/ListTenants"] = new Requirement.ByVerb(List),
        ["/kpicontrol.v1.TenantService/GetPolicy"] = new Requirement.ByVerb(PolicyRead),
        ["/kpicontrol.v1.TenantService/ListPolicies"] = new Requirement.ByVerb(PolicyRead),
        ["/kpicontrol.v1.TenantService/PutPolicy"] = new Requirement.ByVerb(PolicyWrite),
        ["/kpicontrol.v1.DoctorService/Diagnose"] = new Requirement.ByVerb(Diagnose),
        ["/kpicontrol.v1.MonitorService/GetLoadMap"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.MonitorService/GetOverview"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.AuditService/ListAudit"] = new Requirement.ByVerb(PolicyRead),
        ["/kpicontrol.v1.AuditService/ExportAudit"] = new Requirement.ByVerb(PolicyRead),
        ["/kpicontrol.v1.AuditService/ExportEvidence"] = new Requirement.ByVerb(Export),
        ["/kpicontrol.v1.AuditService/VerifyAudit"] = new Requirement.ByVerb(PolicyRead),
        ["/kpicontrol.v1.AuditService/GetAuditKey"] = new Requirement.ByVerb(PolicyRead),
        ["/kpicontrol.v1.AlertService/ListSlaStates"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.AlertService/ReportSla"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.AlertService/ListEpisodes"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.AlertService/GetEpisode"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.AlertService/AcknowledgeEpisode"] = new Requirement.ByVerb(AlertsManage),
        ["/kpicontrol.v1.AlertService/SilenceEpisode"] = new Requirement.ByVerb(AlertsManage),
        ["/kpicontrol.v1.AlertService/UnsilenceEpisode"] = new Requirement.ByVerb(AlertsManage),
        ["/kpicontrol.v1.AlertService/ListDeadAlerts"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.AlertService/ResendAlert"] = new Requirement.ByVerb(AlertsManage),
        ["/kpicontrol.v1.LineageService/ListDeadEvents"] = new Requirement.ByVerb(Read),
        ["/kpicontrol.v1.LineageService/ResendEvents"] = new Requirement.ByVerb(AlertsManage),
        ["/kpicontrol.v1.AgentService/Work"] = new Requirement.Agent(),
        // Its one-time token is in the message, and is asked for before anything else of it.
        ["/kpicontrol.v1.AgentService/Enroll"] = new Requirement.Anybody(),
        ["/kpicontrol.v1.AgentService/Renew"] = new Requirement.Certificate(),
        ["/kpicontrol.v1.WitnessService/Exchange"] = new Requirement.Agent(),
        ["/grpc.health.v1.Health/Check"] = new Requirement.Anybody(),
        ["/grpc.health.v1.Health/List"] = new Requirement.Anybody(),
        ["/grpc.health.v1.Health/Watch"] = new Requirement.Anybody(),
        ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"] = new Requirement.Authenticated(),
        ["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"] = new Requirement.Authenticated(),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public static Requirement? For(string method) => ByMethod.GetValueOrDefault(method);
}
