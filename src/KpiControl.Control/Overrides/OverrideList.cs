using System.Globalization;
using System.Text.Json;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Control.Overrides;

/// <summary>What an override is of; stored and returned alike.</summary>
internal static class OverrideKind
{
    public const string Schedule = "schedule", Priority = "priority", Timeout = "timeout", AlertRoute = "alert_route";

    /// <summary>Kept as a pause, and listed with the others.</summary>
    public const string Pause = "pause";

    /// <summary>A schedule that an edit of the job put over the definition's, without an end; kept in the binding, and listed with the others.</summary>
    public const string Tweak = "tweak";
}

/// <summary>A value that stands over a definition's from one instant until another, that one excluded.</summary>
internal sealed record StandingOverride
{
    public long OverrideId { get; init; }
    public required string Kind { get; init; }
    public required string Value { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset ExpiresAt { get; init; }
}

/// <summary>What stands over one definition: the one place where what is in force is made of the two. Pure.</summary>
/// <remarks>
/// Every question has its instant, the database's: an override that has run out counts for nothing from then on, whether or not
/// anybody has written that down. The schedule is told to change by itself, so that slots on either side of that instant are the
/// same whoever computes them, and when.
/// </remarks>
internal sealed class OverrideList(IReadOnlyList<StandingOverride> all)
{
    private static readonly JsonSerializerOptions Words = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static readonly OverrideList None = new([]);

    /// <param name="json">As a binding and its revisions keep it; null for none.</param>
    public static OverrideList Read(string? json) => json is null ? None : new(JsonSerializer.Deserialize<StandingOverride[]>(json, Words)!);

    public StandingOverride? Of(string kind) => all.FirstOrDefault(one => one.Kind == kind);

    public IReadOnlyList<StandingOverride> At(DateTimeOffset now) => [.. all.Where(one => one.ExpiresAt > now)];

    /// <summary>What an attempt ran under: granted at an instant, for a slot of the schedule that stood then or of another trigger.</summary>
    public IReadOnlyList<StandingOverride> Under(DateTimeOffset granted, DateTimeOffset scheduledFor) =>
        [.. all.Where(one => one.ExpiresAt > (one.Kind == OverrideKind.Schedule ? scheduledFor : granted))];

    /// <summary>The schedule: the override's slots while it stands, the definition's before and after, so that windows, business dates and backfills of either side join.</summary>
    /// <param name="understand">Null where this machine cannot.</param>
    public JobSchedule? Schedule(JobScheduleSpec spec, Func<JobScheduleSpec, JobSchedule?> understand) =>
        understand(spec) is not { } own ? null
        : spec.Type == "cron" && Of(OverrideKind.Schedule) is { } over ? understand(spec with { Expression = over.Value }) is { } other ? own.Until(over.CreatedAt, other.Until(over.ExpiresAt, own)) : null
        : own;

    public int Priority(JobArtifact job, DateTimeOffset now) =>
        Standing(OverrideKind.Priority, now) is { } over ? int.Parse(over.Value, CultureInfo.InvariantCulture) : job.Run.Priority;

    public TimeSpan Timeout(JobArtifact job, DateTimeOffset now) =>
        Standing(OverrideKind.Timeout, now) is { } over && Durations.TryParse(over.Value, out var timeout) ? timeout : job.Timeout;

    private StandingOverride? Standing(string kind, DateTimeOffset now) => Of(kind) is { } over && over.ExpiresAt > now ? over : null;
}
