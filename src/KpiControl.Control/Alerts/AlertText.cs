using System.Globalization;

namespace KpiControl.Control.Alerts;

/// <summary>What an alert says: what, since when, and what changed since the last success. Pure.</summary>
internal static class AlertText
{
    private const int LongestLine = 500;

    public static string Subject(IReadOnlyList<AlertFacts> group) => group is [var one] ? Subject(one)
        : Plain($"[{group.Count} alerts] {string.Join(", ", group.Select(a => a.JobId).Distinct().Take(3))}{(group.Select(a => a.JobId).Distinct().Skip(3).Any() ? " …" : "")}");

    public static string Subject(AlertFacts a) => Plain(a.Event switch
    {
        "failure" => $"[failed] {a.Job}: {a.ErrorCode ?? a.Status ?? "a run failed"}",
        "sla_warn" => $"[late] {a.Job}: {a.Clock} of {a.KpiId} is beyond its target",
        "sla_breach" => $"[breach] {a.Job}: {a.Clock} of {a.KpiId} is beyond its grace",
        "skipped" => $"[skipped] {a.Job}: {a.Reason}",
        "drift" => $"[drift] {a.Job}: {a.Detail}",
        _ => $"[recovered] {a.Job}: {a.Clock switch { "failure" => "runs succeed again", "drift" => "it is what its store holds", var clock => $"{clock} of {a.KpiId}" }}",
    });

    public static string Body(IReadOnlyList<AlertFacts> group) => string.Join("\n\n", group.Select(Body));

    public static string Body(AlertFacts a) => string.Join('\n', Lines(a));

    private static IEnumerable<string> Lines(AlertFacts a)
    {
        yield return Subject(a);
        yield return Plain($"KPI: {a.KpiId}@{a.ContractVersion}, job {a.Job} (binding/{a.BindingId})");
        yield return $"Since: {Instant(a.OpenedAt ?? a.OccurredAt)}{(a.IsRecovery ? $", until {Instant(a.OccurredAt)}" : a.BreachedAt is { } breach && a.Clock != "failure" ? $", in breach since {Instant(breach)}" : "")}";
        if (a.Needs is { } needs && !a.IsRecovery)
            yield return $"Missing: a result that reaches {Instant(needs)}";
        if (a.RunId is { } run)
            yield return Plain($"Run: run/{run}{(a.Status is null ? "" : $" {a.Status}")}{(a.Reason is null ? "" : $" ({a.Reason})")}, slot {Instant(a.ScheduledFor)}, business date {a.BusinessDate:yyyy-MM-dd}{(a.RunCount > 1 ? $", {a.RunCount} runs so far" : "")}");
        if (a.ErrorCode is not null)
            yield return Plain($"Code: {a.ErrorCode}: {a.ErrorMessage}");
        if (!a.IsRecovery)
            yield return a.LastRunId is { } last ? Plain($"Last success: run/{last}, {Instant(a.LastRecordedAt)}. Changed since: {Changes(a)}") : "Last success: none yet";
        if (a.HeldSince is { } held)
            yield return $"Held back since {Instant(held)}: the job was paused.";
        if (a.EpisodeId is { } episode)
            yield return FormattableString.Invariant($"Episode: {episode} (kpictl alerts show {episode})");
    }

    public static string Changes(AlertFacts a)
    {
        var changes = new List<string>();
        Compare("definition", a.LastDefinitionHash, a.DefinitionHash);
        Compare("contract", a.LastContractDigest, a.ContractDigest);
        if (a.Build is not null)
            Compare("agent build", a.LastBuild, a.Build);
        return changes.Count == 0 ? "neither definition, contract nor agent build" : string.Join(", ", changes);

        void Compare(string what, string? was, string? now)
        {
            if (was is not null && was != now)
                changes.Add($"{what} {Short(was)} to {Short(now ?? "")}");
        }
    }

    private static string Short(string text) => text.Length > 19 ? text[..19] : text;

    private static string Instant(DateTimeOffset? at) => at is { } instant ? instant.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) : "-";

    // One line, whatever an agent's message has in it: a header and a chat message end where we say so.
    private static string Plain(string text)
    {
        var line = string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)).Trim();
        return line.Length > LongestLine ? line[..LongestLine] + "…" : line;
    }
}
