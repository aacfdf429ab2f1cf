using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Evidence;

/// <summary>Whether a run restates a number that is here, and by whose agreement: step 11 of docs/evidence-format.md.</summary>
/// <param name="restated">What the evidence of the run says of it.</param>
/// <param name="rows">Of the chain.</param>
internal sealed class RestatementMeaning(EvidenceDocument run, EvidenceDocument revision, ChainedRow history, JsonObject restated, IReadOnlyList<ChainedRow> rows, string tenant)
{
    private readonly List<ChainedRow> _about = [.. rows.Where(row => row.IsOf("restatement", Text(restated, "restatement_id")) && row.Said("digest") == Text(restated, "digest"))];

    /// <param name="reported">The document of the run whose number it restates; null where it is not here.</param>
    public IEnumerable<string> Findings(EvidenceDocument? reported)
    {
        var of = Text(restated, "reported_run_id");
        if (reported is null || reported["binding_id"] != run["binding_id"] || !rows.Any(r => r["table"] == "history" && r["id"] == of && r["binding_id"] == run["binding_id"]
                && r["business_date"] == history["business_date"] && r["final"] == "true" && r["status"] is "success" or "partial" && r["trigger_kind"] != "restatement"))
            yield return $"the number that {run.Name} restates is not here";
        if (Accepted is not { } accepted)
        {
            yield return $"that somebody accepted what {run.Name} restates is in no row of the chain";
            yield break;
        }
        if (!_about.Exists(r => r.Said("state") == "running"))
            yield return $"that what {run.Name} restates was started is in no row of the chain";
        if (!Covers(CanonicalJson.ReadAny(accepted.Said("signed")) as JsonObject, of, reported))
            yield return $"{run.Name} restates another number than was agreed to";
        foreach (var finding in Approvals(accepted))
            yield return finding;
    }

    private ChainedRow? Accepted => _about.Find(r => r["actor"] == Text(restated, "accepted_by") && r["reason"] == Text(restated, "reason") && r.Said("state") is "accepted" or "proposed"
        && r.Said("signed") is { } signed && ContentHash.OfCanonicalJson(signed) == Text(restated, "digest"));

    private bool Covers(JsonObject? signed, string? reportedRun, EvidenceDocument? reported) =>
        Text(signed, "binding") == $"{tenant}/{revision["environment"]}/{revision["job_id"]}" && Text(signed, "cause") == Text(restated, "cause") && Text(signed, "source") == Text(restated, "source")
        && (signed!["dates"] as JsonArray ?? []).Any(date => Text(date, "business_date") == history["business_date"] && Text(date, "reported_run_id") == reportedRun && Text(date, "content_hash") == revision["content_hash"])
        && reported?["revision"] == run["revision"];

    private IEnumerable<string> Approvals(ChainedRow accepted)
    {
        var given = _about.Where(r => r.Said("decision") == "approve").ToList();
        if (!given.Select(r => $"{r.Said("capacity")}: {r["actor"]}").ToHashSet(StringComparer.Ordinal).SetEquals((restated["approvers"] as JsonArray ?? []).Select(name => CanonicalJson.Text(name) ?? "")))
            yield return $"the evidence of {run.Name} names others than approved what it restates";
        if (given.Exists(r => r["actor"] == accepted["actor"]) || given.Select(r => r["actor"]).Distinct().Count() < given.Count)
            yield return $"an approval of what {run.Name} restates does not count: it is that of who accepted it, or a second of the same person";
        if (accepted.After!["required"] is not JsonArray required)
            yield return $"it is not said whose approval was needed of what {run.Name} restates";
        else
            foreach (var need in required.Where(need => !given.Exists(r => r.Said("capacity") == Text(need, "capacity") && (Text(need, "principal") == "" || Text(need, "principal") == r["actor"]))))
                yield return $"what {run.Name} restates lacks the {Text(need, "capacity")} approval of {Text(need, "principal")}";
    }

    private static string? Text(JsonNode? item, string name) => CanonicalJson.Text(item, name);
}
