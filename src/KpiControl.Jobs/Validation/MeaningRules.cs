using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;
using KpiControl.Jobs.Calendars;

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
        StageRules.Check(job, root, findings);
        CheckBusinessHours(job, root, findings);
    }

    private static void CheckBusinessHours(JobArtifact job, ArtifactNode root, FindingList findings)
    {
        if (job.Sla?.Freshness?.BusinessHours is not { } hours) return;
        var at = root.Nearest("sla", "freshness", "business_hours");
        if (!BusinessHours.IsRange(hours))
            findings.Error("meaning.business_hours", at, $"'{hours}' does not close after it opens.", "Write \"09:00-17:00\", or \"00:00-24:00\" for whole business days.");
        else if (job.Schedule.Calendar is null)
            findings.Error("meaning.business_hours", at, "Business hours are those of a calendar's business days, and the schedule names no calendar.", "Add schedule.calendar, or remove business_hours.");
    }
}
