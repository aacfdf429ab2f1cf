using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Evidence;

/// <summary>Whether documents that are as they were signed also say one thing: steps 8 to 10 of docs/evidence-format.md.</summary>
internal sealed class EvidenceMeaning(IReadOnlyList<EvidenceDocument> documents)
{
    private readonly Dictionary<string, EvidenceDocument> _byName = documents.DistinctBy(d => d.Name).ToDictionary(d => d.Name);
    private readonly List<ChainedRow> _rows = [.. documents.Where(d => d.Kind == "row").Select(d => new ChainedRow((JsonObject)d.Body["row"]!))];

    public IEnumerable<string> Findings() => Texts().Concat(Of("change").SelectMany(Change)).Concat(AllRuns());

    /// <summary>For a reader, where there are no findings.</summary>
    public IReadOnlyList<EvidencedRun> Runs() => [.. Of("run").Select(run =>
    {
        var history = Histories(run).Last();
        var document = Evidence(history)?.Json("document") as JsonObject;
        var revision = _byName[$"revision/{run["binding_id"]}/{run["revision"]}"];
        return new EvidencedRun(run["run_id"]!, $"{revision["environment"]}/{revision["job_id"]}", history["business_date"] ?? "", history["status"] ?? "", revision["content_hash"]!,
            [.. (document?["approval"]?["approvers"] as JsonArray ?? []).Select(a => CanonicalJson.Text(a) ?? "")], run["agent"] ?? "",
            [.. (document?["lineage"]?["sources"] as JsonArray ?? []).Select(s => $"{CanonicalJson.Text(s?["name"])}@{CanonicalJson.Text(s?["version"])}")], run["sla_breached"]);
    })];

    private IEnumerable<EvidenceDocument> Of(string kind) => documents.Where(d => d.Kind == kind);

    private EvidenceDocument? Find(string name) => _byName.GetValueOrDefault(name);

    private IEnumerable<string> Texts()
    {
        foreach (var definition in Of("definition").Where(d => d["content_hash"] != ContentHash.OfCanonicalJson(d["canonical_json"] ?? "")))
            yield return $"{definition.Name} has another hash than its canonical JSON";
        foreach (var contract in Of("contract").Where(d => d["digest"] != ContentHash.OfCanonicalJson(d["canonical_json"] ?? "")))
            yield return $"{contract.Name} has another digest than its canonical JSON";
    }

    private IEnumerable<string> Change(EvidenceDocument change)
    {
        var (id, digest, decisions) = (change["change_id"], change["digest"], ((JsonArray)change.Body["decisions"]!).Cast<JsonObject>().ToList());
        if (digest != ContentHash.OfCanonicalJson(change["signed"] ?? ""))
            yield return $"{change.Name} has another digest than what was signed";
        var about = _rows.Where(r => r["table"] == "audit" && r["object_kind"] == "change" && r["object_id"] == id).ToList();
        if (!about.Exists(r => r["actor"] == change["author"] && Text(r.After, "digest") == digest && Text(r.After, "content_hash") == Text(Signed(change), "content_hash")
                && CanonicalJson.Number(r.After?["binding_id"]) == change["binding_id"]))
            yield return $"the proposal of {change.Name} is in no row of the chain";
        foreach (var decision in decisions)
        {
            var (principal, what) = (Text(decision, "principal"), $"the decision of {Text(decision, "principal")} on {change.Name}");
            if (Text(decision, "digest") != digest)
                yield return $"{what} is on another content: {Text(decision, "digest")}";
            if (principal == change["author"] || decisions.Count(d => Text(d, "principal") == principal) > 1)
                yield return $"{what} does not count: it is the author's, or a second of the same person";
            if (!about.Exists(r => r["actor"] == principal && Text(r.After, "digest") == digest
                    && Text(r.After, "decision") == Text(decision, "decision") && Text(r.After, "capacity") == Text(decision, "capacity")))
                yield return $"{what} is in no row of the chain";
        }
        if (CanonicalJson.ReadAny(change["required"]) is not JsonArray needs)
            yield return $"{change.Name} does not say whose approval it needed";
        else
            foreach (var need in needs.Where(need => !decisions.Exists(d => Text(d, "decision") == "approve" && Text(d, "capacity") == Text(need, "capacity")
                         && (Text(need, "principal") == "" || Text(need, "principal") == Text(d, "principal")))))
                yield return $"{change.Name} lacks the {Text(need, "capacity")} approval of {Text(need, "principal")}";
    }

    private IEnumerable<string> AllRuns() => Of("run").Any() ? Of("run").SelectMany(Run) : ["there is no run in it"];

    private IEnumerable<string> Run(EvidenceDocument run)
    {
        if (Find($"revision/{run["binding_id"]}/{run["revision"]}") is not { } revision)
            return [$"the revision of {run.Name} is not here"];
        return Released(run, revision).Concat(Recorded(run, revision));
    }

    private IEnumerable<string> Released(EvidenceDocument run, EvidenceDocument revision)
    {
        if (Find($"definition/{revision["content_hash"]}") is null)
            yield return $"the definition of {run.Name} is not here";
        if (Find($"contract/{revision["contract_digest"]}") is null)
            yield return $"the contract of {run.Name} is not here";
        if (!Releases(revision, revision["revision"]).Any())
            yield return $"that {revision.Name} was put in force is in no row of the chain";
        if (revision["change_id"] is not { } id)
            yield break;
        if (Find($"change/{id}") is not { } change)
        {
            yield return $"the change that released the definition of {run.Name} is not here";
            yield break;
        }
        if (change["binding_id"] != revision["binding_id"] || change["applied_revision"] != revision["change_revision"] || Text(Signed(change), "content_hash") != revision["content_hash"]
            || (revision["change_revision"] == revision["revision"] && Text(Signed(change), "contract_digest") != revision["contract_digest"]))
            yield return $"{change.Name} agreed to another content than ran as {run.Name}";
        if (!Releases(revision, revision["change_revision"]).Any(r => CanonicalJson.Number(r.After?["change_id"]) == id))
            yield return $"the release of {change.Name} is in no row of the chain";
    }

    // What put that revision of the binding in force, with the content that it is told to have.
    private IEnumerable<ChainedRow> Releases(EvidenceDocument revision, string? number) => _rows.Where(r =>
        r["table"] == "audit" && r["object_kind"] == "binding" && r["object_id"] == revision["binding_id"]
        && CanonicalJson.Number(r.After?["revision"]) is { } of && of == number && Text(r.After, "content_hash") == revision["content_hash"]);

    private List<ChainedRow> Histories(EvidenceDocument run) => [.. _rows.Where(r => r["table"] == "history" && r["id"] == run["run_id"])];

    private ChainedRow? Evidence(ChainedRow history) => _rows.FirstOrDefault(r => r["table"] == "evidence" && r["kind"] == "run"
        && r["run_id"] == history["id"] && r["binding_id"] == history["binding_id"] && r["attempt_id"] == history["attempt_id"]);

    private IEnumerable<string> Recorded(EvidenceDocument run, EvidenceDocument revision)
    {
        var histories = Histories(run);
        if (histories.Count == 0)
            yield return $"{run.Name} is in no row of the chain";
        foreach (var history in histories)
        {
            if (history["binding_id"] != run["binding_id"] || history["revision"] != run["revision"])
                yield return $"{run.Name} was recorded of another job or revision";
            if ((history["result_digest"] is null) != (history["lineage_ref"] is null))
                yield return $"{run.Name} was reported and left no evidence";
            if (history["lineage_ref"] is null)
                continue;
            if (Evidence(history)?.Json("document") is not JsonObject document)
                yield return $"the evidence of {run.Name} is not here";
            else
                foreach (var finding in Document(run, revision, history, document))
                    yield return finding;
        }
    }

    private IEnumerable<string> Document(EvidenceDocument run, EvidenceDocument revision, ChainedRow history, JsonObject document)
    {
        if (Text(document, "definition_hash") != revision["content_hash"])
            yield return $"{run.Name} ran another definition than {revision.Name} holds";
        if (Text(document, "contract_digest") != revision["contract_digest"])
            yield return $"{run.Name} was computed by another contract than {revision.Name} holds";
        if (Text(document, "agent") != run["agent"])
            yield return $"{run.Name} was reported by another agent";
        if (Text(document, "policy_version") is not { } policy)
            yield break;
        if (policy != "0" && Find($"policy/{revision["environment"]}/{policy}") is null)
            yield return $"the policy in force at {run.Name} is not here";
        var approval = document["approval"];
        if (Text(approval, "change_id") != revision["change_id"] || (approval is not null && Text(approval, "digest") != Find($"change/{revision["change_id"]}")?["digest"]))
            yield return $"{run.Name} ran under another approval";
        if ((document["points"] is { } points ? EvidenceValues.DigestOf(points) : null) != Text(document, "values_digest"))
            yield return $"the values of {run.Name} are not those that were reported";
        if (Breached(document["sla"], history["recorded_at"]) != run["sla_breached"])
            yield return $"{run.Name} is told to have kept or broken another promise than its evidence shows";
    }

    // Instants of one spelling compare as texts.
    private static string? Breached(JsonNode? sla, string? recordedAt) => sla is null ? null
        : Text(sla, "latency") == "breach" || (Text(sla, "deliver_by") is { } by && string.CompareOrdinal(recordedAt, by) > 0) ? "true" : "false";

    private static JsonNode? Signed(EvidenceDocument change) => CanonicalJson.ReadAny(change["signed"]) as JsonObject;

    private static string? Text(JsonNode? item, string name) => item is JsonObject members ? CanonicalJson.Text(members[name]) : null;

    /// <summary>A row of the chain, as it was exported.</summary>
    private sealed class ChainedRow(JsonObject row)
    {
        private JsonNode? _after;
        private bool _read;

        public string? this[string member] => CanonicalJson.Text(row[member]);

        public JsonObject? After
        {
            get
            {
                if (!_read)
                    (_after, _read) = (Json("after"), true);
                return _after as JsonObject;
            }
        }

        public JsonNode? Json(string member) => CanonicalJson.ReadAny(this[member]);
    }
}
