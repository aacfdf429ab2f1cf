using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Validation;

/// <summary>
/// The stage <em>meaning</em>: what the schema's keywords cannot say and no server is needed for. The same text always
/// gets the same verdict: schedules are looked at from a fixed instant, not from now.
/// </summary>
internal static class MeaningRules
{
    /// <param name="root">As authored, for the places.</param>
    public static void Check(JobArtifact job, ArtifactNode root, FindingList findings)
    {
        DurationRules.Check(job, root, findings);
        ScheduleRules.Check(job, root, findings);
        DependencyRules.Check(job, root, findings);
        FilterRules.Check(root, findings);
        DuplicateRules.Check(root, findings);
        CheckSelection(root, findings);
    }

    private static void CheckSelection(ArtifactNode root, FindingList findings)
    {
        if (root["run"]?["profile"] is { Kind: NodeKind.String } && root["run"]?["stage_set"] is { Items.Count: > 0 } stages)
            findings.Error("meaning.run_selection", stages, "A run selects by profile or by stage_set, never both.", "Keep one of them.");
    }
}
