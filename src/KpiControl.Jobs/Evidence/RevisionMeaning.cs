using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Evidence;

/// <summary>Whether what was in force is what the chain, the definition and the change say: of step 10 of docs/evidence-format.md.</summary>
/// <param name="rows">Of the chain.</param>
internal sealed class RevisionMeaning(EvidenceDocument revision, string tenant, IReadOnlyList<ChainedRow> rows)
{
    // The revision's member, and what the row that put it in force calls it: rows of older builds say less.
    private static readonly (string Member, string Said)[] Facts =
    [
        ("region", "region"), ("job_id", "job_id"), ("schedule_cron", "schedule_cron"), ("timezone", "timezone"), ("active", "active"), ("active", "active_flag"),
        ("calendar", "calendar"), ("calendar_version", "calendar_version"),
    ];

    private static readonly (string Member, string Column)[] Columns =
        [("environment", "environment"), ("changed_by", "actor"), ("reason", "reason"), ("effective_from", "recorded_at")];

    /// <summary>What put that revision of the binding in force, with the content that it is told to have.</summary>
    public static IEnumerable<ChainedRow> Releases(IEnumerable<ChainedRow> rows, EvidenceDocument revision, string? number) => rows.Where(r =>
        r.IsOf("binding", revision["binding_id"]) && CanonicalJson.Number(r.After?["revision"]) is { } of && of == number && r.Said("content_hash") == revision["content_hash"]);

    public IEnumerable<string> Findings(EvidenceDocument? definition, EvidenceDocument? change)
    {
        var releases = Releases(rows, revision, revision["revision"]).Select(Unlike).ToList();
        if (releases.Count == 0)
            yield return $"that {revision.Name} was put in force is in no row of the chain";
        else if (!releases.Contains(null))
            yield return $"{revision.Name} has another {releases[0]} than the row of the chain that put it in force";
        if (definition is not null && UnlikeDefinition(CanonicalJson.ReadAny(definition["canonical_json"])) is { } defined)
            yield return $"{revision.Name} has another {defined} than its definition";
        if (change is not null && UnlikeSigned(change, CanonicalJson.ReadAny(change["signed"])) is { } signed)
            yield return $"{revision.Name} has another {signed} than what {change.Name} was agreed on";
        foreach (var finding in Calendar())
            yield return finding;
    }

    private string? Unlike(ChainedRow row)
    {
        foreach (var (member, column) in Columns.Where(c => row[c.Column] != revision[c.Member]))
            return member;
        foreach (var (member, said) in Facts.Where(f => row.After!.ContainsKey(f.Said) && Text(row.After[f.Said]) != revision[f.Member]))
            return member;
        return null;
    }

    private string? UnlikeDefinition(JsonNode? definition) =>
        CanonicalJson.Text(definition, "job_id") != revision["job_id"] ? "job_id"
        : CanonicalJson.Text((definition as JsonObject)?["schedule"], "calendar") != revision["calendar"] ? "calendar"
        : null;

    private string? UnlikeSigned(EvidenceDocument change, JsonNode? signed) =>
        CanonicalJson.Text(signed, "environment") != revision["environment"] ? "environment"
        : CanonicalJson.Text(signed, "region") != revision["region"] ? "region"
        : CanonicalJson.Text(signed, "binding") != $"{tenant}/{revision["environment"]}/{revision["job_id"]}" ? "job_id"
        : change["applied_revision"] == revision["revision"] && Text((signed as JsonObject)?["calendar_version"]) != revision["calendar_version"] ? "calendar_version"
        : null;

    private IEnumerable<string> Calendar()
    {
        var (name, version, digest) = (revision["calendar"], revision["calendar_version"], revision["calendar_digest"]);
        if ((name is null) != (version is null) || (name is null) != (digest is null))
            yield return $"{revision.Name} names half a calendar";
        else if (name is not null && !rows.Any(r => r.IsOf("calendar", name) && CanonicalJson.Number(r.After?["version"]) == version && r.Said("digest") == digest))
            yield return $"version {version} of the calendar {name}, with that digest, is in no row of the chain";
    }

    // A text, a number or a truth value, as documents write it.
    private static string? Text(JsonNode? node) => CanonicalJson.Text(node) ?? (node is null ? null : Jcs.Write(node));
}
