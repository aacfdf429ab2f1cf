using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Evidence;

/// <summary>A line of an evidence bundle but its last: docs/evidence-format.md says what each kind holds.</summary>
/// <param name="Kind"><c>run</c>, <c>revision</c>, <c>definition</c> …</param>
/// <param name="Body">Texts and nulls.</param>
public sealed record EvidenceDocument(string Kind, JsonObject Body)
{
    private static readonly Dictionary<string, (string[] Name, string[] Members)> Kinds = new()
    {
        ["run"] = (["run_id"], ["run_id", "binding_id", "revision", "agent", "sla_breached"]),
        ["revision"] = (["binding_id", "revision"],
            ["binding_id", "revision", "environment", "region", "job_id", "content_hash", "contract_digest", "schedule_cron", "timezone", "schedule_extra", "active", "zone_version",
             "effective_from", "changed_by", "reason", "calendar", "calendar_version", "calendar_digest", "change_id", "change_revision"]),
        ["definition"] = (["content_hash"], ["content_hash", "canonical_json", "format", "content", "schema_version", "created_at", "created_by"]),
        ["contract"] = (["digest"], ["digest", "canonical_json", "format", "content", "kpi_id", "version", "status", "created_at", "created_by"]),
        ["policy"] = (["environment", "version"], ["environment", "version", "document", "effective_from"]),
        ["change"] = (["change_id"],
            ["change_id", "binding_id", "kind", "digest", "signed", "required", "format", "content", "author", "reason", "proposed_at", "closed_at", "closed_by", "applied_revision", "decisions",
             "break_glass", "review"]),
        ["episode"] = (["episode_id"], ["episode_id", "run_id", "clock", "opened_at", "breached_at", "resolved_at", "resolution", "acknowledged_by", "acknowledge_reason"]),
        ["row"] = (["link", "position"], ["link", "position", "row"]),
        ["link"] = (["seq"], ["tenant", "seq", "linked_at", "prev_hash", "rows", "hash"]),
        ["checkpoint"] = (["seq"], ["tenant", "seq", "hash", "signed_at", "key_id", "signature"]),
    };

    private static readonly string[] Decision = ["capacity", "comment", "decided_at", "decision", "digest", "principal"];
    private static readonly string[] BreakGlass = ["capacity", "decided_at", "digest", "expires_at", "principal", "reason"];
    private static readonly string[] Review = ["closed_at", "closed_by", "comment", "opened_at", "participants", "reason"];

    /// <summary>The line, without its end.</summary>
    public string Line => Jcs.Write(new JsonObject { ["document"] = Body.DeepClone(), ["kind"] = Kind });

    /// <summary>What the statement calls it.</summary>
    public string Name => NameOf(Kind, Body);

    /// <summary>A member's text; null where it has none.</summary>
    public string? this[string member] => CanonicalJson.Text(Body[member]);

    /// <summary>Null where the line is not a document in its one spelling.</summary>
    public static EvidenceDocument? Read(string line) =>
        CanonicalJson.Read(line) is { } item && CanonicalJson.Unlike(item, "document", "kind") is null && CanonicalJson.Text(item["kind"]) is { } kind
        && item["document"] is JsonObject body && Kinds.TryGetValue(kind, out var known) && CanonicalJson.Unlike(body, known.Members) is null
        && known.Name.All(name => CanonicalJson.Text(body[name]) is { Length: > 0 }) && body.All(member => IsForm(member.Key, member.Value))
            ? new EvidenceDocument(kind, body)
            : null;

    private static string NameOf(string kind, JsonObject body) => string.Join('/', Kinds[kind].Name.Select(name => CanonicalJson.Text(body[name])).Prepend(kind));

    private static bool IsForm(string name, JsonNode? value) => name switch
    {
        "rows" or "participants" => value is JsonArray texts && texts.All(text => CanonicalJson.Text(text) is not null),
        "row" => value is JsonObject row && row.All(member => IsText(member.Value)),
        "decisions" => AreAll(value, Decision),
        "break_glass" => AreAll(value, BreakGlass),
        "review" => value is null || (value is JsonObject review && CanonicalJson.Unlike(review, Review) is null && review.All(member => IsForm(member.Key, member.Value))),
        _ => IsText(value),
    };

    private static bool AreAll(JsonNode? value, string[] members) =>
        value is JsonArray items && items.All(item => item is JsonObject one && CanonicalJson.Unlike(one, members) is null && one.All(member => IsText(member.Value)));

    private static bool IsText(JsonNode? value) => value is null || CanonicalJson.Text(value) is not null;
}
