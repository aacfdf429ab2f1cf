using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Jobs;

/// <summary>A job's state in a word, and in a sentence.</summary>
internal static class JobState
{
    public static Cell Word(Job job) => Cell.Status(job switch
    {
        { ActiveFlag: false } => "inactive",
        { Occurrence.State: "leased" } => "running",
        { Beside: var beside } when beside.Any(open => open.State == "leased") => "running",
        { Paused: true } => "paused",
        { Occurrence.State: { Length: > 0 } state } => state,
        _ => "idle",
    });

    /// <summary>Its next slot comes before its pause ends.</summary>
    public static bool IsHeld(Job job) =>
        job is { Paused: true, NextRunAt: not null } && (job.PausedUntil is null || job.NextRunAt.ToDateTimeOffset() < job.PausedUntil.ToDateTimeOffset());

    public static string Sentence(Job job, DateTimeOffset now)
    {
        var parts = new List<string> { Word(job).Text };
        if (job.Paused)
            parts.Add(Pause(job, now));
        return string.Join(", ", parts);
    }

    /// <summary>Until when, and why.</summary>
    public static string Pause(Job job, DateTimeOffset now) =>
        (job.PausedUntil is null ? "paused until resumed" : $"paused until {Ages.Both(job.PausedUntil, now)}")
        + (job.PauseReason.Length > 0 ? $", because: {job.PauseReason}" : "");

    /// <summary><c>waiting (dependency): GDP_Sales</c></summary>
    public static string Of(Occurrence occurrence)
    {
        var state = occurrence.State == "leased" ? $"running on {occurrence.Agent}, try {occurrence.TryNumber}" : occurrence.State;
        var reason = occurrence.Reason.Length > 0 ? $" ({occurrence.Reason})" : "";
        var missing = occurrence.Missing.Count > 0 ? $": {string.Join("; ", occurrence.Missing)}" : "";
        return state + reason + missing;
    }
}
