using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;
using KpiControl.Jobs.Runs;

namespace KpiControl.Jobs.Validation;

/// <summary>What a selection of stages asks of the rest of the job.</summary>
internal static class StageRules
{
    public static void Check(JobArtifact job, ArtifactNode root, FindingList findings)
    {
        var run = root["run"];
        if (run?["profile"] is { Kind: NodeKind.String } && run["stage_set"] is { Items.Count: > 0 } stages)
            findings.Error("meaning.run_selection", stages, "A run selects by profile or by stage_set, never both.", "Keep one of them.");
        if (job.Run.Profile == "backfill" && job.Runtime.Time?["range"] is null)
            findings.Error("meaning.backfill_window", root.Nearest(["run", "profile"]), "The profile backfill needs a window, and the job has no runtime.time.range.",
                "Write runtime.time.range: { type: relative, last_n: 12 }: so many periods up to the business date of each run.");
        if (job.Schedule.Overlap == "allow" && RunStages.Of(job.Run).MakesTables)
            findings.Error("meaning.overlap_stages", root.Nearest(["schedule", "overlap"]), "Runs of a job that loads or builds tables replace each other's: they cannot run at once (overlap: allow).",
                "Write skip, queue_one or cancel_previous, or let a job of its own make the tables.");
        if (job.Run.Profile == "pre_fill" && job.Sla?.Freshness is not null)
            findings.Error("meaning.pre_fill_freshness", root.Nearest(["sla", "freshness"]), "The profile pre_fill loads history once and promises no freshness.", "Remove sla.freshness.");
    }
}
