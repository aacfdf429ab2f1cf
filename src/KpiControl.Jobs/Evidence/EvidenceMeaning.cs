using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Evidence;

/// <summary>Whether documents that are as they were signed also say one thing: steps 8 to 12 of docs/evidence-format.md.</summary>
internal sealed class EvidenceMeaning(IReadOnlyList<EvidenceDocument> documents, string tenant, int edition)
{
    private readonly Dictionary<string, EvidenceDocument> _byName = documents.DistinctBy(d => d.Name).ToDictionary(d => d.Name);
    private static readonly IReadOnlySet<string> Nobody = new HashSet<string>();

    // What a build that knew no policy_version wrote none of.
    private static readonly string[] Later = ["schema_hash", "approval", "values_digest", "sla", "restatement"];

    private readonly List<ChainedRow> _rows = [.. documents.Where(d => d.Kind == "row").Select(d => new ChainedRow((JsonObject)d.Body["row"]!))];

    public IEnumerable<string> Findings() => Texts().Concat(Of("change").SelectMany(change => Agreed(change).Findings())).Concat(AllRuns());

    /// <summary>For a reader, where there are no findings.</summary>
    public IReadOnlyList<EvidencedRun> Runs() => [.. Of("run").Select(run =>
    {
        var history = Histories(run).Last();
        var document = Evidence(history)?.Json("document") as JsonObject;
        var revision = _byName[$"revision/{run["binding_id"]}/{run["revision"]}"];
        var agreed = Find($"change/{revision["change_id"]}") is { } change ? Agreed(change) : null;
        return new EvidencedRun(run["run_id"]!, $"{revision["environment"]}/{revision["job_id"]}", history["business_date"] ?? "", history["status"] ?? "", revision["content_hash"]!,
            [.. (agreed?.Approvers ?? Nobody).Order(StringComparer.Ordinal)], run["agent"] ?? "",
            [.. (document?["lineage"]?["sources"] as JsonArray ?? []).Select(s => $"{CanonicalJson.Text(s?["name"])}@{CanonicalJson.Text(s?["version"])}")], run["sla_breached"], agreed?.BreakGlass, Text(document?["restatement"], "reported_run_id"));
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

    private ChangeMeaning Agreed(EvidenceDocument change) => new(change, _rows);

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
        foreach (var finding in new RevisionMeaning(revision, tenant, _rows).Findings(Find($"definition/{revision["content_hash"]}"), Find($"change/{revision["change_id"]}")))
            yield return finding;
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
        if (!RevisionMeaning.Releases(_rows, revision, revision["change_revision"]).Any(r => CanonicalJson.Number(r.After?["change_id"]) == id))
            yield return $"the release of {change.Name} is in no row of the chain";
    }

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
        if (edition > 1 && Tables(document).FirstOrDefault(table => Find($"contract/{table.Digest}") is null) is { } lacking)
            yield return $"the contract of {lacking.Name}, which {run.Name} loaded or built, is not here";
        if (Text(document, "policy_version") is not { } policy)
        {
            if (Later.FirstOrDefault(document.ContainsKey) is { } later)
                yield return $"the evidence of {run.Name} has {later} and no policy_version";
            yield break;
        }
        if (policy != "0" && Find($"policy/{revision["environment"]}/{policy}") is null)
            yield return $"the policy in force at {run.Name} is not here";
        var approval = document["approval"];
        if (document.ContainsKey("approval") != (revision["change_id"] is not null) || Text(approval, "change_id") != revision["change_id"] || (approval is not null && Text(approval, "digest") != Find($"change/{revision["change_id"]}")?["digest"]))
            yield return $"{run.Name} ran under another approval";
        else if (approval is not null && Find($"change/{revision["change_id"]}") is { } change && !Agreed(change).Approvers.SetEquals(Approvers(approval)))
            yield return $"the evidence of {run.Name} names other approvers than {change.Name}";
        if ((document["points"] is { } points ? EvidenceValues.DigestOf(points) : null) != Text(document, "values_digest"))
            yield return $"the values of {run.Name} are not those that were reported";
        if (Breached(document["sla"], history["recorded_at"]) != run["sla_breached"])
            yield return $"{run.Name} is told to have kept or broken another promise than its evidence shows";
        foreach (var finding in Restated(run, revision, history, document["restatement"]))
            yield return finding;
    }

    private static IEnumerable<TableStage> Tables(JsonObject document) =>
        from stage in document["stages"] as JsonArray ?? []
        where Text(stage, "contract_digest") is not null
        select new TableStage(Text(stage, "dataset") ?? "", Text(stage, "contract_digest")!);

    private IEnumerable<string> Restated(EvidenceDocument run, EvidenceDocument revision, ChainedRow history, JsonNode? restated) =>
        (history["trigger_kind"] == "restatement", restated) switch
        {
            (false, null) => [],
            (true, JsonObject told) => new RestatementMeaning(run, revision, history, told, _rows, tenant).Findings(Find($"run/{Text(told, "reported_run_id")}")),
            _ => [$"{run.Name} restates a number, or its evidence says so, and the other does not"],
        };

    private static IEnumerable<string> Approvers(JsonNode approval) =>
        ((approval as JsonObject)?["approvers"] as JsonArray ?? []).Select(approver => CanonicalJson.Text(approver) ?? "");

    // Instants of one spelling compare as texts.
    private static string? Breached(JsonNode? sla, string? recordedAt) => sla is null ? null
        : Text(sla, "latency") == "breach" || (Text(sla, "deliver_by") is { } by && string.CompareOrdinal(recordedAt, by) > 0) ? "true" : "false";

    private static JsonNode? Signed(EvidenceDocument change) => CanonicalJson.ReadAny(change["signed"]) as JsonObject;

    private static string? Text(JsonNode? item, string name) => CanonicalJson.Text(item, name);

    private sealed record TableStage(string Name, string Digest);
}
