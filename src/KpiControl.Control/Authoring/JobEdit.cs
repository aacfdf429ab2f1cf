using System.Text.Json.Nodes;
using KpiControl.Control.Hosting;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Authoring;

/// <summary>What an edit of fields makes of a binding; pure.</summary>
internal static class JobEdit
{
    /// <summary>The schedule in force: the definition's, or what the binding puts over it.</summary>
    public static JobScheduleSpec InForce(JobArtifact job, Binding binding) =>
        job.Schedule with { Expression = binding.ScheduleCron.Length > 0 ? binding.ScheduleCron : job.Schedule.Expression, Timezone = binding.Timezone };

    /// <summary>The binding with the fields that are present put into it; refused with every finding where that is no schedule.</summary>
    public static Binding Apply(Binding binding, JobArtifact job, string canonicalJson, string? cron, string? zone, bool? active)
    {
        if (job.Schedule.Type != "cron" && cron is not null)
            throw Reject.Invalid("schedule_cron", $"cannot be set: the job's schedule is {job.Schedule.Type}");
        var edited = binding with { ScheduleCron = cron ?? binding.ScheduleCron, Timezone = zone ?? binding.Timezone, ActiveFlag = active ?? binding.ActiveFlag };
        if (edited.ScheduleCron != binding.ScheduleCron || edited.Timezone != binding.Timezone)
            DemandSchedule(edited, canonicalJson);
        return edited with { ScheduleOverridden = edited.ScheduleCron != BoundJob.Cron(job) || edited.Timezone != job.Schedule.Timezone };
    }

    // The rules of meaning are those of an artifact that says the same.
    private static void DemandSchedule(Binding edited, string canonicalJson)
    {
        var artifact = JsonNode.Parse(canonicalJson)!;
        if (edited.ScheduleCron.Length > 0)
            artifact["schedule"]!["expression"] = edited.ScheduleCron;
        artifact["schedule"]!["timezone"] = edited.Timezone;
        var errors = ArtifactReader.Read(artifact.ToJsonString(), ArtifactFormat.Json).Findings.Where(f => f.Severity == Severity.Error).ToList();
        if (errors.Count > 0)
            throw Reject.Invalid(errors.Select(f => new Google.Rpc.BadRequest.Types.FieldViolation
            {
                Field = f.Path.EndsWith("/timezone", StringComparison.Ordinal) ? "timezone" : "schedule_cron",
                Reason = f.Rule, Description = $"{f.Message} {f.Hint}".TrimEnd(),
            }));
    }
}
