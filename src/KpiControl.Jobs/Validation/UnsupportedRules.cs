using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Validation;

/// <summary>What the format can say and this version does not do: refused by name, never accepted and ignored.</summary>
internal static class UnsupportedRules
{
    public static void Check(JobArtifact job, ArtifactNode root, FindingList findings)
    {
        var schedule = job.Schedule;
        Refuse(schedule.Overlap is "allow", "overlap", $"schedule.overlap {schedule.Overlap}", ["schedule", "overlap"], "Write skip, queue_one or cancel_previous.");
        Refuse(job.Run.Profile is not (null or "kpi_only"), "profile", $"run.profile {job.Run.Profile}", ["run", "profile"], "Agents have an executor for the stage kpi alone: write kpi_only, or remove the field.");
        Refuse(job.Run.StageSet is not ([] or ["kpi"]), "stage_set", "A run.stage_set other than [kpi]", ["run", "stage_set"], "Agents have an executor for the stage kpi alone.");
        Refuse(job.Sla is { OnBreach: not "alert" }, "on_breach", $"sla.on_breach {job.Sla?.OnBreach}", ["sla", "on_breach"], "Write alert, or remove the field.");
        Refuse(job.Runtime.Time?["calendar"] is not null, "time_calendar", "runtime.time.calendar", ["runtime", "time", "calendar"]);

        void Refuse(bool when, string rule, string what, string[] path, string hint = "Remove the field.")
        {
            if (when) findings.Error("unsupported." + rule, root.Nearest(path), $"{what} is not supported yet.", hint);
        }
    }
}
