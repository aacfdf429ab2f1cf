using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Runs;

/// <summary>Everything about one run: what it was, its values, where they came from, and the evidence.</summary>
internal static class RunPage
{
    /// <param name="latest">How many of the values to show, the latest periods first to be kept.</param>
    public static void Print(Surroundings world, RunDetail detail, int latest)
    {
        PrintRun(world, detail.Run);
        if (detail.Evidence is not { } evidence)
            return;
        PrintValues(world, detail, latest);
        PrintLineage(world, evidence.Lineage);
        PrintValidations(world, evidence.Validations);
        PrintStages(world, evidence.Stages);
        PrintEvidence(world, evidence);
        PrintStale(world, evidence.StaleReports);
    }

    private static void PrintRun(Surroundings world, Run run)
    {
        var now = world.Clock.GetUtcNow();
        new Sheet()
            .Line("run_id", run.RunId)
            .Line("job", $"{run.Tenant}/{run.Environment}/{run.JobId}")
            .Line("status", new Cell(run.Final ? run.Status : $"{run.Status} (not its occurrence's last)", Cell.Status(run.Status).Style))
            .Line("why", RunTable.Why(run))
            .Line("kpi_id", run.KpiId)
            .Line("contract_version", run.ContractVersion)
            .Line("content_hash", run.ContentHash)
            .Line("business_date", run.BusinessDate)
            .Line("slot_key", run.SlotKey)
            .Line("slots", run.SlotCount > 1 ? $"{run.SlotCount}, the last at {Ages.Absolute(run.LastSlot)}" : "")
            .Line("trigger_kind", run.TryNumber > 0 ? $"{run.TriggerKind}, try {run.TryNumber}" : run.TriggerKind)
            .Line("scd_view", run.RestatesRunId == 0 ? run.ScdView : $"{run.ScdView}: restatement {run.RestatementId} of what run {run.RestatesRunId} reported")
            .Line("restated_by", run.RestatedByRunIds.Count == 0 ? "" : $"run {string.Join(", ", run.RestatedByRunIds)}: the number below stands as it was reported")
            .Line("scheduled_for", Ages.Both(run.ScheduledFor, now))
            .Line("started_at", Ages.Both(run.StartedAt, now))
            .Line("finished_at", run.FinishedAt is null ? "-" : $"{Ages.Both(run.FinishedAt, now)}, took {RunTable.Took(run)}")
            .Line("rows_processed", run.RowsProcessed)
            .Line("data_points", run.DataPoints)
            .Line("sla_breached", run.HasSlaBreached ? (run.SlaBreached ? "yes" : "no") : "nothing promised of a run")
            .Line("region", run.Region)
            .Line("agent", run.Agent)
            .Line("fence", RunTable.FenceOf(run.Fence))
            .Line("attempt_id", run.AttemptId)
            .Line("lineage_ref", run.LineageRef)
            .Line("result_digest", run.ResultDigest)
            .WriteTo(world);
    }

    private static void PrintValues(Surroundings world, RunDetail detail, int latest)
    {
        var points = detail.Evidence.Points.OrderBy(point => point.Period, StringComparer.Ordinal).ToArray();
        if (points.Length == 0)
        {
            if (detail.Run.DataPoints > 0 && latest > 0)
                world.Error.WriteLine($"its {detail.Run.DataPoints} values are in the region's warehouse only: the connection does not report points");
            return;
        }
        var shown = points.TakeLast(latest).ToArray();
        Sheet.Heading(world, shown.Length == points.Length ? $"VALUES ({points.Length})" : $"VALUES (the latest {shown.Length} of {points.Length}; all: --points all)");
        if (shown.Length > 0)
            ValueTable.Print(world, shown);
    }

    private static void PrintLineage(Surroundings world, Lineage? lineage)
    {
        if (lineage is null)
            return;
        Sheet.Heading(world, "LINEAGE");
        var sources = new TextTable("TYPE", "SOURCE", "VERSION");
        foreach (var source in lineage.Sources)
            sources.Row(source.Type, source.Name, source.Version.Length == 0 ? "-" : source.Version);
        sources.WriteTo(world);
        new Sheet().Line("sql_hash", lineage.SqlHash).Line("upstream_run_id", lineage.UpstreamRunId).WriteTo(world);
    }

    private static void PrintValidations(Surroundings world, IReadOnlyCollection<Validation> validations)
    {
        if (validations.Count == 0)
            return;
        Sheet.Heading(world, "VALIDATIONS");
        var table = new TextTable("RULE", "STAGE", "RESULT", "MESSAGE");
        foreach (var validation in validations)
            table.Row(validation.RuleId, validation.Stage, Cell.Status(validation.Passed ? "passed" : "failed"), validation.Message);
        table.WriteTo(world);
    }

    private static void PrintStages(Surroundings world, IReadOnlyCollection<StageEvent> stages)
    {
        if (stages.Count == 0)
            return;
        Sheet.Heading(world, "STAGES");
        var table = new TextTable("STAGE", "TABLE", "CONTRACT", "STATUS", "STARTED", "ENDED", "INPUT_ROWS", "OUTPUT_ROWS", "ERRORS", "DATA_UNTIL", "REASON").Numeric(6, 7, 8);
        foreach (var stage in stages)
            table.Row(stage.Stage, stage.Dataset, stage.ContractVersion.Length == 0 ? "" : $"{stage.ContractId} {stage.ContractVersion}", Cell.Status(stage.Status),
                Ages.Absolute(stage.StartedAt), Ages.Absolute(stage.EndedAt), stage.InputRows, stage.OutputRows, stage.Errors, stage.DataUntil, stage.Reason);
        table.WriteTo(world);
    }

    private static void PrintEvidence(Surroundings world, RunEvidence evidence)
    {
        Sheet.Heading(world, "EVIDENCE");
        var sheet = new Sheet()
            .Line("definition_hash", evidence.DefinitionHash)
            .Line("contract_digest", evidence.ContractDigest)
            .Line("schema_version", evidence.SchemaVersion)
            .Line("executor", evidence.Executor)
            .Line("agent", evidence.AgentBuild.Length == 0 ? evidence.Agent : $"{evidence.Agent} ({evidence.AgentBuild})")
            .Line("secrets", string.Join(", ", evidence.Secrets.Select(use => use.Version.Length == 0 ? use.Reference : $"{use.Reference}@{use.Version}")))
            .Line("call", evidence.Call is null ? "" : ProtoJson.Format(evidence.Call, indented: false));
        foreach (var over in evidence.Overrides)
            sheet.Line("overridden", $"{over.Kind} ({over.Value}) until {Ages.Absolute(over.ExpiresAt)}, override {over.OverrideId}");
        foreach (var warning in evidence.Warnings)
            sheet.Line("warning", new Cell(warning, "yellow"));
        sheet.WriteTo(world);
    }

    private static void PrintStale(Surroundings world, IReadOnlyCollection<StaleReport> reports)
    {
        if (reports.Count == 0)
            return;
        Sheet.Heading(world, "STALE REPORTS (they changed nothing)");
        var table = new TextTable("ATTEMPT", "FENCE", "RECORDED", "STATUS", "DETAIL");
        foreach (var report in reports)
            table.Row(report.AttemptId, RunTable.FenceOf(report.Fence), Ages.Absolute(report.RecordedAt), report.Status, report.Detail);
        table.WriteTo(world);
    }
}
