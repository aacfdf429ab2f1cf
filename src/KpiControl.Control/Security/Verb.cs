namespace KpiControl.Control.Security;

/// <summary>What a caller may do; the platform's words.</summary>
internal enum Verb
{
    List, Read, Inspect, Create, Update, Publish, Pause, Resume, Rollback, Run, Backfill, ScheduleEdit, SlaEdit,
    ChangeRequestSubmit, ChangeRequestApprove, LogsRead, AlertsManage, PolicyRead, PolicyWrite, Export, Diagnose, FleetManage,
}
