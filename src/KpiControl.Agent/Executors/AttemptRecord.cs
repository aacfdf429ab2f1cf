using Google.Protobuf.WellKnownTypes;
using KpiControl.Agent.Secrets;
using KpiControl.Jobs.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Executors;

/// <summary>What an attempt finds out on its way, and the outcome that it makes of it: the one place where words leave, redacted.</summary>
internal sealed class AttemptRecord(string executor, AttemptSecrets secrets, TimeProvider time)
{
    private readonly DateTimeOffset startedAt = time.GetUtcNow();

    public AttemptSecrets Secrets => secrets;
    public List<Validation> Validations { get; } = [];
    public List<string> Warnings { get; } = [];
    public Lineage Lineage { get; } = new();
    public long InputRows { get; set; }
    public long OutputRows { get; set; }
    public IReadOnlyList<DataPoint> Points { get; set; } = [];
    /// <summary>Most points that are reported; the latest ones.</summary>
    public int ReportPoints { get; init; }

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
        Stages = [Stage(status, failure)],
        Executor = executor,
    };

    private StageEvent Stage(string status, Failure? failure) => new()
    {
        Stage = "kpi",
        Status = status switch { RunStatus.Success or RunStatus.Partial => "succeeded", RunStatus.Skipped => "skipped", _ => "failed" },
        StartedAt = startedAt.ToTimestamp(),
        EndedAt = time.GetUtcNow().ToTimestamp(),
        InputRows = InputRows,
        OutputRows = OutputRows,
        Errors = Validations.Count(one => !one.Passed) + (failure is not null && Validations.All(one => one.Passed) ? 1 : 0),
        Reason = secrets.Redact(failure?.Message ?? ""),
    };

    private Validation Redacted(Validation one) =>
        new() { RuleId = one.RuleId, Stage = one.Stage, Passed = one.Passed, Message = secrets.Redact(one.Message) };
}
