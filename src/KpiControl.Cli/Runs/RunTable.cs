using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Runs;

/// <summary>Runs in rows, newest first.</summary>
internal static class RunTable
{
    public static void Print(Surroundings world, IReadOnlyCollection<Run> runs, bool wide) =>
        (wide ? Wide(runs) : Narrow(runs, world.Clock.GetUtcNow())).WriteTo(world);

    private static TextTable Narrow(IReadOnlyCollection<Run> runs, DateTimeOffset now)
    {
        var table = new TextTable("RUN", "BUSINESS_DATE", "STATUS", "TRIGGER", "TRY", "STARTED", "TOOK", "ROWS", "POINTS", "AGENT", "WHY").Numeric(0, 4, 7, 8);
        foreach (var run in runs)
            table.Row(run.RunId, Date(run), Status(run), run.TriggerKind, run.TryNumber, Ages.Relative(run.StartedAt, now), Took(run),
                run.RowsProcessed, run.DataPoints, run.Agent, Why(run));
        return table;
    }

    private static TextTable Wide(IReadOnlyCollection<Run> runs)
    {
        var table = new TextTable("RUN", "JOB", "REGION", "BUSINESS_DATE", "SLOT", "STATUS", "FINAL", "TRIGGER", "TRY", "STARTED", "FINISHED", "TOOK",
            "ROWS", "POINTS", "SLA_BREACHED", "CONTRACT_VERSION", "CONTENT_HASH", "AGENT", "FENCE", "LINEAGE_REF", "WHY").Numeric(0, 8, 12, 13);
        foreach (var run in runs)
            table.Row(run.RunId, $"{run.Tenant}/{run.Environment}/{run.JobId}", run.Region, Date(run), run.SlotKey, Status(run), run.Final ? "yes" : "no",
                run.TriggerKind, run.TryNumber, Ages.Absolute(run.StartedAt), Ages.Absolute(run.FinishedAt), Took(run), run.RowsProcessed, run.DataPoints,
                run.HasSlaBreached ? (run.SlaBreached ? "yes" : "no") : "-", run.ContractVersion, run.ContentHash, run.Agent, FenceOf(run.Fence),
                run.LineageRef, Why(run));
        return table;
    }

    public static string Took(Run run) => run.StartedAt is null || run.FinishedAt is null
        ? "-"
        : Ages.Span(run.FinishedAt.ToDateTimeOffset() - run.StartedAt.ToDateTimeOffset());

    public static string FenceOf(Fence? fence) => fence is null ? "" : $"{fence.Epoch}/{fence.Number}";

    /// <summary>Why it was skipped, suppressed, failed …</summary>
    public static string Why(Run run)
    {
        var code = run.ErrorCode.Length > 0 ? run.ErrorCode : run.Reason;
        return run.ErrorMessage.Length == 0 ? code : code.Length == 0 ? run.ErrorMessage : $"{code}: {run.ErrorMessage}";
    }

    private static Cell Status(Run run) =>
        run.SlotCount > 1 ? new Cell($"{run.Status} ×{run.SlotCount}", Cell.Status(run.Status).Style) : Cell.Status(run.Status);

    private static string Date(Run run) => run.BusinessDate.Length == 0 ? "-" : run.BusinessDate;
}
