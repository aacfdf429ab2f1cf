using System.Globalization;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Plans;

/// <summary>What becomes of a promise, or of who is told.</summary>
/// <param name="Kind"><c>added, removed, tightened, loosened</c> or <c>changed</c>.</param>
/// <param name="Path">JSON Pointer into the artifact.</param>
public sealed record PromiseEffect(string Kind, string Path, string Message);

/// <summary>What another definition does to the SLA and to the alerts of a job.</summary>
public static class PromiseEffects
{
    /// <param name="was">Null: nothing is in force.</param>
    /// <param name="job">Null: nothing will be.</param>
    public static IReadOnlyList<PromiseEffect> Between(JobArtifact? was, JobArtifact? job) =>
    [
        .. Clock("freshness", Target(was?.Sla?.Freshness), Target(job?.Sla?.Freshness)),
        .. Clock("latency", Target(was?.Sla?.Latency), Target(job?.Sla?.Latency)),
        .. Clock("availability", Target(was?.Sla?.Availability), Target(job?.Sla?.Availability)),
        .. OnBreach(was?.Sla, job?.Sla), .. Alerts(was?.Alerts ?? [], job?.Alerts ?? []),
    ];

    private sealed record Promise(string Text, TimeSpan Target, TimeSpan Latest, string? Hours = null);

    private static Promise? Target(SlaTarget? target) => target is null ? null
        : new(string.Create(CultureInfo.InvariantCulture, $"{Durations.Format(target.Target)} (grace {Durations.Format(target.GraceInForce)}{(target.BusinessHours is { } hours ? $", in business hours {hours}" : "")})"), target.Target, target.Target + target.GraceInForce, target.BusinessHours);

    private static Promise? Target(SlaAvailability? target) => target is null ? null
        : new(target.Target.ToString("HH:mm", CultureInfo.InvariantCulture) + (target.Grace is { } grace ? $" (grace {Durations.Format(grace)})" : ""), target.Target.ToTimeSpan(), target.Target.ToTimeSpan() + (target.Grace ?? TimeSpan.Zero));

    private static IEnumerable<PromiseEffect> Clock(string clock, Promise? was, Promise? now) => (was, now) switch
    {
        (null, null) => [],
        (null, not null) => [new("added", $"/sla/{clock}", $"{clock} is promised: {now.Text}")],
        (not null, null) => [new("removed", $"/sla/{clock}", $"{clock} is promised no more (was {was.Text}); an open episode of it ends")],
        _ when was == now => [],
        _ => [new(Direction(was, now), $"/sla/{clock}", $"{clock}: {was.Text} → {now.Text}")],
    };

    private static string Direction(Promise was, Promise now) =>
        now.Hours != was.Hours ? "changed" : now.Target <= was.Target && now.Latest <= was.Latest ? "tightened" : now.Target >= was.Target && now.Latest >= was.Latest ? "loosened" : "changed";

    private static IEnumerable<PromiseEffect> OnBreach(JobSla? was, JobSla? now) => was is null || now is null || was.OnBreach == now.OnBreach ? []
        : [new("changed", "/sla/on_breach", $"on a breach: {was.OnBreach} → {now.OnBreach}")];

    private static IEnumerable<PromiseEffect> Alerts(IReadOnlyList<JobAlert> was, IReadOnlyList<JobAlert> now)
    {
        // A route is known by its channel and severity, as it is stored.
        var before = was.DistinctBy(Key).ToDictionary(Key);
        var after = now.DistinctBy(Key).ToDictionary(Key);
        foreach (var route in before.Keys.Except(after.Keys))
            yield return new("removed", "/alerts", $"{Route(route)} is told no more{(after.Count == 0 ? ", and nobody else is" : "")}");
        foreach (var route in after.Keys.Except(before.Keys))
            yield return new("added", "/alerts", $"{Route(route)} is told of {string.Join(", ", after[route].On)}");
        foreach (var route in before.Keys.Intersect(after.Keys))
        {
            string[] lost = [.. before[route].On.Except(after[route].On)], gained = [.. after[route].On.Except(before[route].On)];
            if (lost.Length + gained.Length > 0)
                yield return new("changed", "/alerts", $"{Route(route)}: {string.Join(", ", [.. gained.Select(on => $"+{on}"), .. lost.Select(on => $"-{on}")])}");
        }
    }

    private static (string Channel, string Severity) Key(JobAlert alert) => (alert.Channel, alert.Severity);

    private static string Route((string Channel, string Severity) route) => $"{route.Channel} ({route.Severity})";
}
