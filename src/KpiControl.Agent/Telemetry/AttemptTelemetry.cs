using System.Diagnostics;
using System.Diagnostics.Metrics;
using KpiControl.Agent.Execution;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Telemetry;

/// <summary>What monitoring sees of attempts: how they ended and how long they took, and nobody's name.</summary>
internal sealed class AttemptTelemetry : IDisposable
{
    /// <summary>Of the meter and of the source of traces.</summary>
    public const string Name = "KpiControl.Agent";

    private readonly ActivitySource traces = new(Name);
    private readonly Counter<long> ended;
    private readonly Histogram<double> duration;

    public AttemptTelemetry(IMeterFactory meters)
    {
        var meter = meters.Create(Name);
        ended = meter.CreateCounter<long>("kpicontrol.agent.attempts", "{attempt}", "Attempts that ended, by executor and outcome: a run's status, returned (unrun) or dropped (no longer its own)");
        duration = meter.CreateHistogram<double>("kpicontrol.agent.attempt.duration", "s", "From the lease's arrival until its attempt ended",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.05, 0.1, 0.5, 1, 3, 10, 30, 60, 300, 900, 3600] });
    }

    /// <summary>A span that an HTTP call of the attempt carries on as its parent.</summary>
    /// <returns>Null where nobody listens.</returns>
    public Activity? Begin(Lease lease) => traces.StartActivity("attempt", ActivityKind.Consumer)
        ?.SetTag("kpicontrol.attempt_id", lease.AttemptId).SetTag("kpicontrol.binding_id", lease.BindingId);

    public void Ended(Activity? span, AttemptEnd end, TimeSpan took)
    {
        var (executor, outcome) = (end.Outcome?.Executor ?? "none", Word(end));
        var tags = new TagList { { "executor", executor }, { "outcome", outcome } };
        ended.Add(1, tags);
        duration.Record(took.TotalSeconds, tags);
        span?.SetTag("kpicontrol.executor", executor).SetTag("kpicontrol.outcome", outcome).SetStatus(end.Outcome?.ErrorCode is { Length: > 0 } code ? ActivityStatusCode.Error : ActivityStatusCode.Ok, end.Outcome?.ErrorCode);
    }

    public void Dispose() => traces.Dispose();

    private static string Word(AttemptEnd end) => end.Kind switch
    {
        AttemptEndKind.Report => end.Outcome!.Status,
        AttemptEndKind.Return => "returned",
        _ => "dropped",
    };
}
