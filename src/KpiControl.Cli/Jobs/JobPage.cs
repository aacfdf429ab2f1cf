using KpiControl.Cli.Drift;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Jobs;

/// <summary>Everything about one job, the audit surface first.</summary>
internal static class JobPage
{
    public static void Print(Surroundings world, Job job)
    {
        var now = world.Clock.GetUtcNow();
        new Sheet()
            .Line("job", JobAddress.NameOf(job))
            .Line("kpi_id", job.KpiId)
            .Line("contract_version", job.ContractVersion)
            .Line("content_hash", job.ContentHash)
            .Line("schedule_cron", JobTable.Dash(job.ScheduleCron) + (job.ScheduleOverridden ? " (overrides the artifact's)" : ""))
            .Line("timezone", job.Timezone)
            .Line("last_run", LastRun(job, now))
            .Line("last_error", new Cell(job.LastError, "red"))
            .Line("next_run", Ages.Both(job.NextRunAt, now) + (JobState.IsHeld(job) ? ", held: the job is paused" : ""))
            .Line("state", new Cell(JobState.Sentence(job, now), JobState.Word(job).Style))
            .Line("description", job.Description)
            .Line("criticality", job.Criticality)
            .Line("region", job.Region)
            .Line("scd_view", job.ScdView)
            .Line("binding_id", job.BindingId)
            .Line("def_id", job.DefId)
            .Line("etag", job.Etag)
            .Line("contract_digest", job.ContractDigest)
            .Line("created_at", Ages.Both(job.CreatedAt, now))
            .Line("dependencies", string.Join(", ", job.Dependencies.Select(one => $"{one.DepType}:{one.DepValue}")))
            .Line("alerts", string.Join(", ", job.Alerts.Select(Alert)))
            .Line("sla", Sla(job))
            .WriteTo(world);
        OverrideTable.Section(world, job.Overrides, now);
        DriftText.Section(world, job.Drift);
        if (job.Occurrence is { } open)
            PrintOpen(world, open, job.Queued, now);
        PrintBeside(world, job.Beside, now);
    }

    private static void PrintBeside(Surroundings world, IReadOnlyCollection<Occurrence> beside, DateTimeOffset now)
    {
        if (beside.Count == 0)
            return;
        Sheet.Heading(world, "BESIDE IT");
        var table = new TextTable("SLOT_KEY", "STATE", "BUSINESS_DATE", "SCHEDULED_FOR", "TRY", "ATTEMPT_ID");
        foreach (var other in beside)
            table.Row(other.SlotKey, new Cell(JobState.Of(other), Cell.Status(other.State).Style), other.BusinessDate, Ages.Both(other.ScheduledFor, now), other.TryNumber, other.AttemptId);
        table.WriteTo(world);
    }

    private static void PrintOpen(Surroundings world, Occurrence open, int queued, DateTimeOffset now)
    {
        Sheet.Heading(world, "OPEN OCCURRENCE");
        new Sheet()
            .Line("slot_key", open.SlotKey)
            .Line("state", new Cell(JobState.Of(open), Cell.Status(open.State).Style))
            .Line("business_date", open.BusinessDate)
            .Line("scheduled_for", Ages.Both(open.ScheduledFor, now))
            .Line("trigger_kind", open.TriggerKind)
            .Line("attempt_id", open.AttemptId)
            .Line("retry_at", open.RetryAt is null ? "" : Ages.Both(open.RetryAt, now))
            .Line("queued behind it", queued > 0 ? queued : "")
            .WriteTo(world);
    }

    private static Cell LastRun(Job job, DateTimeOffset now) => job.LastRunAt is null
        ? "none yet"
        : new Cell($"{Ages.Both(job.LastRunAt, now)} {job.LastStatus}", Cell.Status(job.LastStatus).Style);

    // channel_value carries the channel's kind in the seed's example ("slack:#kpi-alerts").
    private static string Alert(Alert alert) =>
        $"{(alert.ChannelValue.StartsWith(alert.ChannelType + ":", StringComparison.Ordinal) ? "" : alert.ChannelType + ":")}{alert.ChannelValue} ({alert.Severity})";

    private static string Sla(Job job)
    {
        var state = job.SlaState;
        return job.Sla is null || job.Sla.Fields.Count == 0 ? "" : $"{ProtoJson.Format(job.Sla, indented: false)} ({state})";
    }
}
