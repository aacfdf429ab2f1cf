using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Validation;

/// <summary>What the format can say and this version does not do: refused by name, never accepted and ignored.</summary>
internal static class UnsupportedRules
{
    public static void Check(JobArtifact job, ArtifactNode root, FindingList findings)
    {
        Refuse(job.Sla is { OnBreach: not "alert" }, "on_breach", $"sla.on_breach {job.Sla?.OnBreach}", ["sla", "on_breach"], "Write alert, or remove the field.");
        Refuse(job.Runtime.Time?["calendar"] is not null, "time_calendar", "runtime.time.calendar", ["runtime", "time", "calendar"]);

        void Refuse(bool when, string rule, string what, string[] path, string hint = "Remove the field.")
        {
            if (when) findings.Error("unsupported." + rule, root.Nearest(path), $"{what} is not supported yet.", hint);
        }
    }
}
