using Google.Protobuf.WellKnownTypes;
using KpiControl.Agent.Secrets;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Executors;

/// <summary>What an attempt finds out on its way, and the outcome that it makes of it: the one place where words leave, redacted.</summary>
internal sealed class AttemptRecord(string executor, AttemptSecrets secrets, TimeProvider time)
{
    private DateTimeOffset kpiStartedAt = time.GetUtcNow();
    private bool kpiBegan;

    public AttemptSecrets Secrets => secrets;
    public List<Validation> Validations { get; } = [];
    public List<string> Warnings { get; } = [];
    public Lineage Lineage { get; } = new();
    public long InputRows { get; set; }
    public long OutputRows { get; set; }
    public IReadOnlyList<DataPoint> Points { get; set; } = [];
    /// <summary>Most points that are reported; the latest ones.</summary>
    public int ReportPoints { get; init; }
    /// <summary>Stages before <c>kpi</c>, one for each table.</summary>
    public List<StageEvent> Stages { get; } = [];
    /// <summary>False: the run has no stage kpi.</summary>
    public bool HasKpi { get; init; } = true;
    /// <summary>What the stage kpi executes, once it is known.</summary>
    public MetricContract? Contract { get; set; }
    /// <summary>Why the stage kpi was passed over.</summary>
    public string? KpiNotReady { get; set; }

    public void BeginKpi() => (kpiStartedAt, kpiBegan) = (time.GetUtcNow(), true);

    /// <summary>Everything was done that could be: with a stage passed over it is <c>partial</c>, and with every one of them nothing happened.</summary>
    public Outcome EndedByStages()
    {
        var skipped = Stages.Where(stage => stage.Status == "skipped").Select(stage => $"{stage.Stage} of {stage.Dataset} was skipped: {stage.Reason}")
            .Concat(KpiNotReady is { } why ? [$"kpi was skipped: {why}"] : []).ToList();
        var all = Stages.Count + (HasKpi ? 1 : 0);
        if (all > 0 && skipped.Count == all)
            return Ended(RunStatus.Skipped, new Failure(RunErrors.NotReady, $"no stage was ready: {string.Join("; ", skipped)}"));
        Warnings.AddRange(skipped);
        return Ended(skipped.Count == 0 ? RunStatus.Success : RunStatus.Partial);
    }

    public Outcome Failed(Failure failure) => Ended(failure.Status, failure);

    public Outcome Ended(string status, Failure? failure = null) => new()
    {
        Status = status,
        ErrorCategory = failure?.Error.CategoryWord ?? "",
        ErrorCode = failure?.Error.Code ?? "",
        ErrorMessage = secrets.Redact(failure?.Message ?? ""),
        RetryAfter = failure?.RetryAfter,
        RowsProcessed = OutputRows,
        DataPoints = Points.Count,
        Points = [.. Points.Skip(Math.Max(0, Points.Count - ReportPoints)).Select(secrets.Redact)],
        Validations = [.. Validations.Select(Redacted)],
        Lineage = Lineage.Sources.Count == 0 && Lineage.SqlHash.Length == 0 ? null : secrets.Redact(Lineage),
        Secrets = secrets.Uses,
        Warnings = [.. Warnings.Select(secrets.Redact)],
        Stages = [.. Stages.Select(Redacted), .. HasKpi ? [Kpi(status, failure)] : Array.Empty<StageEvent>()],
        Executor = executor,
    };

    private StageEvent Kpi(string status, Failure? failure)
    {
        var kpi = new StageEvent
        {
            Stage = RunStages.Kpi, ContractId = Contract?.ContractId ?? "", ContractVersion = Contract?.Version ?? "",
            StartedAt = kpiStartedAt.ToTimestamp(), EndedAt = time.GetUtcNow().ToTimestamp(),
        };
        if (Stages.Count > 0 && !kpiBegan || KpiNotReady is not null)
            (kpi.Status, kpi.Reason) = ("skipped", secrets.Redact(KpiNotReady ?? "not reached"));
        else
        {
            kpi.Status = status switch { RunStatus.Success or RunStatus.Partial => "succeeded", RunStatus.Skipped => "skipped", _ => "failed" };
            (kpi.InputRows, kpi.OutputRows) = (InputRows, OutputRows);
            kpi.Errors = Validations.Count(one => !one.Passed) + (failure is not null && Validations.All(one => one.Passed) ? 1 : 0);
            kpi.Reason = secrets.Redact(failure?.Message ?? "");
        }
        return kpi;
    }

    private StageEvent Redacted(StageEvent stage)
    {
        var said = stage.Clone();
        said.Reason = secrets.Redact(stage.Reason);
        return said;
    }

    private Validation Redacted(Validation one) =>
        new() { RuleId = one.RuleId, Stage = one.Stage, Passed = one.Passed, Message = secrets.Redact(one.Message) };
}
