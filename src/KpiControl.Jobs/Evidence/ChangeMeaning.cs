using System.Globalization;
using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Evidence;

/// <summary>Whether a change was agreed to as its document tells it: step 9 of docs/evidence-format.md.</summary>
/// <param name="rows">Of the chain.</param>
internal sealed class ChangeMeaning(EvidenceDocument change, IEnumerable<ChainedRow> rows)
{
    private const int BreakGlassApprovers = 2;

    private readonly List<ChainedRow> _about = [.. rows.Where(row => row.IsOf("change", change["change_id"]))];
    private readonly List<JsonObject> _decisions = Items(change, "decisions"), _glass = Items(change, "break_glass");
    private readonly JsonObject? _review = change.Body["review"] as JsonObject;

    /// <summary>Whose word released it, each with the capacity: <c>business: ann</c>, <c>break-glass: bea</c>.</summary>
    public IReadOnlySet<string> Approvers =>
        _decisions.Where(d => Text(d, "decision") == "approve").Select(d => $"{Text(d, "capacity")}: {Text(d, "principal")}")
            .Concat(CountingGlass.Select(principal => $"break-glass: {principal}")).ToHashSet(StringComparer.Ordinal);

    /// <summary>Null: it was released in the ordinary way.</summary>
    public EvidencedBreakGlass? BreakGlass => _review is null ? null : new(change["change_id"]!, Text(_review, "reason") ?? "", Text(_review, "closed_by"), Text(_review, "comment"));

    // Whose time was not over when it was released. Instants of one spelling compare as texts.
    private IEnumerable<string> CountingGlass => _review is null ? []
        : _glass.Where(a => string.CompareOrdinal(Text(a, "expires_at"), Text(_review, "opened_at")) > 0).Select(a => Text(a, "principal") ?? "").Distinct();

    public IEnumerable<string> Findings() => [.. Proposal(), .. Decisions(), .. Glass(), .. Review(), .. Needs()];

    private IEnumerable<string> Proposal()
    {
        if (change["digest"] != ContentHash.OfCanonicalJson(change["signed"] ?? ""))
            yield return $"{change.Name} has another digest than what was signed";
        var signed = CanonicalJson.ReadAny(change["signed"]);
        if (!_about.Exists(r => r["actor"] == change["author"] && r.Said("digest") == change["digest"] && r.Said("content_hash") == Text(signed, "content_hash")
                && CanonicalJson.Number(r.After?["binding_id"]) == change["binding_id"]))
            yield return $"the proposal of {change.Name} is in no row of the chain";
    }

    private IEnumerable<string> Decisions()
    {
        foreach (var decision in _decisions)
        {
            var (principal, what) = (Text(decision, "principal"), $"the decision of {Text(decision, "principal")} on {change.Name}");
            if (Text(decision, "digest") != change["digest"])
                yield return $"{what} is on another content: {Text(decision, "digest")}";
            if (principal == change["author"] || _decisions.Count(d => Text(d, "principal") == principal) > 1)
                yield return $"{what} does not count: it is the author's, or a second of the same person";
            if (!Says(decision, Text(decision, "decision")).Any())
                yield return $"{what} is in no row of the chain";
        }
    }

    private IEnumerable<string> Glass()
    {
        foreach (var approval in _glass)
        {
            var what = $"the break-glass approval of {Text(approval, "principal")} for {change.Name}";
            if (Text(approval, "digest") != change["digest"])
                yield return $"{what} is for another content: {Text(approval, "digest")}";
            if (Text(approval, "principal") == change["author"])
                yield return $"{what} does not count: it is the author's";
            if (!Says(approval, "break_glass").Any(r => r["recorded_at"] == Text(approval, "decided_at") && r["reason"] == Text(approval, "reason") && Lasts(approval, r)))
                yield return $"{what} is in no row of the chain";
        }
    }

    private IEnumerable<string> Review()
    {
        if (_review is null)
            yield break;
        var participants = Names(_review["participants"]);
        if (_about.Find(r => r["recorded_at"] == Text(_review, "opened_at") && r["reason"] == Text(_review, "reason") && r.Said("review") == "open" && r.Said("digest") == change["digest"]
                && r.After?["break_glass"] is JsonValue broken && broken.TryGetValue<bool>(out var is_so) && is_so && Names(r.After["participants"]).SequenceEqual(participants)) is not { } opened)
            yield return $"that {change.Name} was released by break-glass is in no row of the chain";
        else if (_decisions.Concat(_glass).Select(d => Text(d, "principal")).Append(change["author"]).Append(opened["actor"]).FirstOrDefault(p => !participants.Contains(p)) is { } missing)
            yield return $"the review of {change.Name} leaves out that {missing} had a part in it";
        var (at, by, comment) = (Text(_review, "closed_at"), Text(_review, "closed_by"), Text(_review, "comment"));
        if (at is null && by is null && comment is null)
            yield break;
        if (participants.Contains(by))
            yield return $"the review of {change.Name} was closed by {by}, who had a part in it";
        if (!_about.Exists(r => r["actor"] == by && r["recorded_at"] == at && r["reason"] == comment && r.Said("review") == "closed"))
            yield return $"that the review of {change.Name} was closed is in no row of the chain";
    }

    private IEnumerable<string> Needs()
    {
        if (CanonicalJson.ReadAny(change["required"]) is not JsonArray needs)
            yield return $"{change.Name} does not say whose approval it needed";
        else if (_review is not null && CountingGlass.Count() is var broke and < BreakGlassApprovers)
            yield return $"{change.Name} was released by break-glass, which takes {BreakGlassApprovers} approvers whose time is not over; {broke} are here";
        else if (_review is null)
            foreach (var need in needs.Where(need => !_decisions.Exists(d => Text(d, "decision") == "approve" && Text(d, "capacity") == Text(need, "capacity")
                         && (Text(need, "principal") == "" || Text(need, "principal") == Text(d, "principal")))))
                yield return $"{change.Name} lacks the {Text(need, "capacity")} approval of {Text(need, "principal")}";
    }

    // The rows in which that person said that word, in that capacity, on this content.
    private IEnumerable<ChainedRow> Says(JsonObject word, string? decision) => _about.Where(r =>
        r["actor"] == Text(word, "principal") && r.Said("digest") == change["digest"] && r.Said("decision") == decision && r.Said("capacity") == Text(word, "capacity"));

    private static bool Lasts(JsonObject approval, ChainedRow row) =>
        row.After?["hours"] is JsonValue value && value.TryGetValue<double>(out var hours) && Instant(Text(approval, "decided_at")) is { } from
        && Instant(Text(approval, "expires_at")) is { } until && (until - from).Ticks == Math.Round(hours * 3600) * TimeSpan.TicksPerSecond;

    private static DateTime? Instant(string? text) =>
        DateTime.TryParseExact(text, "yyyy-MM-ddTHH:mm:ss.ffffffZ", CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal, out var at) ? at : null;

    private static List<JsonObject> Items(EvidenceDocument change, string member) => [.. ((JsonArray)change.Body[member]!).Cast<JsonObject>()];

    private static List<string?> Names(JsonNode? list) => [.. (list as JsonArray ?? []).Select(CanonicalJson.Text)];

    private static string? Text(JsonNode? item, string name) => CanonicalJson.Text(item, name);
}
