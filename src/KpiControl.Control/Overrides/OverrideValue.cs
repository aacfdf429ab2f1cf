using System.Globalization;
using System.Text.Json.Nodes;
using KpiControl.Control.Hosting;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;

namespace KpiControl.Control.Overrides;

/// <summary>What an override may say: what an artifact may say in the same place. Pure.</summary>
internal static class OverrideValue
{
    /// <returns>As it is kept: durations in their one form.</returns>
    public static string Demand(string kind, string value, JobArtifact job, string canonicalJson, WorkCalendar? calendar)
    {
        var kept = kind switch
        {
            OverrideKind.Schedule when job.Schedule.Type != "cron" => throw Reject.Invalid("kind", $"cannot be schedule: the job's schedule is {job.Schedule.Type}"),
            OverrideKind.AlertRoute when job.Alerts.Count == 0 => throw Reject.Invalid("kind", "cannot be alert_route: the job has no alert that could go another way"),
            OverrideKind.Timeout => Durations.Canonical(value.Trim()),
            _ => value.Trim(),
        };
        if (kept.Length == 0)
            throw Reject.Invalid("value", $"is missing: {Example(kind)}");
        var errors = Faults(kind, kept, job, canonicalJson, calendar).ToList();
        if (errors.Count > 0)
            throw Reject.Invalid(errors.Select(f => new Google.Rpc.BadRequest.Types.FieldViolation { Field = "value", Reason = f.Rule, Description = $"{f.Message} {f.Hint}".TrimEnd() }));
        return IsSaid(kind, kept, job) ? throw Reject.Invalid("value", "is what the definition says: there is nothing to override") : kept;
    }

    /// <summary>Why an override has nothing to stand over any more; null where it has.</summary>
    public static string? Obsolete(StandingOverride over, JobArtifact job, string canonicalJson, WorkCalendar? calendar) => over.Kind switch
    {
        OverrideKind.Schedule when job.Schedule.Type != "cron" => $"the job's schedule is {job.Schedule.Type} now",
        OverrideKind.AlertRoute when job.Alerts.Count == 0 => "the job has no alerts any more",
        _ when IsSaid(over.Kind, over.Value, job) => "the definition says the same now",
        _ when Faults(over.Kind, over.Value, job, canonicalJson, calendar).FirstOrDefault() is { } fault => $"it does not fit the definition any more: {fault.Message}",
        _ => null,
    };

    private static bool IsSaid(string kind, string value, JobArtifact job) => kind switch
    {
        OverrideKind.Schedule => job.Schedule.Expression == value,
        OverrideKind.Priority => job.Run.Priority.ToString(CultureInfo.InvariantCulture) == value,
        OverrideKind.Timeout => Durations.Format(job.Timeout) == value,
        _ => job.Alerts.All(alert => alert.Channel == value),
    };

    // The definition with the value in its place, read as any artifact: the same rules, the same words.
    private static IEnumerable<Finding> Faults(string kind, string value, JobArtifact job, string canonicalJson, WorkCalendar? calendar)
    {
        var artifact = JsonNode.Parse(canonicalJson)!.AsObject();
        switch (kind)
        {
            case OverrideKind.Schedule:
                artifact["schedule"]!["expression"] = value;
                break;
            case OverrideKind.Priority:
                (artifact["run"] ??= new JsonObject())["priority"] = int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : value;
                break;
            case OverrideKind.Timeout:
                artifact["timeout"] = value;
                break;
            default:
                foreach (var alert in artifact["alerts"]!.AsArray())
                    alert!["channel"] = value;
                break;
        }
        var findings = ArtifactReader.Read(artifact.ToJsonString(), ArtifactFormat.Json).Findings;
        if (kind == OverrideKind.Schedule && calendar is not null)
            findings = [.. findings, .. CalendarCheck.Check(job with { Schedule = job.Schedule with { Expression = value } }, calendar, [])];
        return findings.Where(f => f.Severity == Severity.Error);
    }

    private static string Example(string kind) => kind switch
    {
        OverrideKind.Schedule => "a cron expression like '0 6 * * *', in the job's time zone",
        OverrideKind.Priority => "1 to 5, 1 first",
        OverrideKind.Timeout => "a duration like 30m",
        _ => "a channel like slack:#night-shift",
    };
}
