using System.Reflection;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Agent.Executors;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Execution;

internal static class FinishedReport
{
    /// <summary>"0.1.0+abcdef1", recorded on every run.</summary>
    public static string Build { get; } =
        typeof(FinishedReport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public static Finished ToFinished(this Outcome outcome, Lease lease, DateTimeOffset startedAt, DateTimeOffset finishedAt) => new()
    {
        AttemptId = lease.AttemptId,
        BindingId = lease.BindingId,
        SlotKey = lease.SlotKey,
        Fence = lease.Fence,
        StartedAt = Timestamp.FromDateTimeOffset(startedAt),
        FinishedAt = Timestamp.FromDateTimeOffset(finishedAt),
        Status = outcome.Status,
        ErrorCategory = outcome.ErrorCategory,
        ErrorCode = outcome.ErrorCode,
        ErrorMessage = outcome.ErrorMessage,
        RetryAfter = outcome.RetryAfter is { } retryAfter ? Duration.FromTimeSpan(retryAfter) : null,
        RowsProcessed = outcome.RowsProcessed,
        DataPoints = outcome.DataPoints,
        Points = { outcome.Points },
        Validations = { outcome.Validations },
        Lineage = outcome.Lineage,
        Secrets = { outcome.Secrets },
        Warnings = { outcome.Warnings },
        Executor = outcome.Executor,
        AgentBuild = Build,
        Stages = { outcome.Stages },
    };
}
