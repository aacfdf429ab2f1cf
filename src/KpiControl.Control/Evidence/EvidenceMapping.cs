using System.Globalization;
using System.Text.Json.Nodes;
using KpiControl.Control.Audit;
using KpiControl.Control.Changes;
using KpiControl.Control.Runs;
using KpiControl.Jobs.Evidence;

namespace KpiControl.Control.Evidence;

/// <summary>From what is stored to the documents of docs/evidence-format.md.</summary>
internal static class EvidenceMapping
{
    public static EvidenceDocument ToDocument(this RunRow run) => new("run", new JsonObject
    {
        ["run_id"] = Text(run.RunId), ["binding_id"] = Text(run.BindingId), ["revision"] = Text(run.Revision), ["agent"] = run.Agent,
        ["sla_breached"] = run.SlaBreached switch { null => null, true => "true", false => "false" },
    });

    public static EvidenceDocument ToDocument(this AgreedChange agreed)
    {
        var change = agreed.Change;
        return new("change", new JsonObject
        {
            ["change_id"] = Text(change.ChangeId), ["binding_id"] = Text(change.BindingId), ["kind"] = change.Kind, ["digest"] = change.Digest, ["signed"] = ChangeDigest.Signed(change),
            ["required"] = change.Required, ["format"] = change.Format, ["content"] = change.Content, ["author"] = change.Author, ["reason"] = change.Reason,
            ["proposed_at"] = Time(change.ProposedAt), ["closed_at"] = Time(change.ClosedAt), ["closed_by"] = change.ClosedBy, ["applied_revision"] = Text(change.AppliedRevision),
            ["decisions"] = new JsonArray([.. agreed.Decisions.Select(d => new JsonObject
            {
                ["capacity"] = d.Capacity, ["comment"] = d.Comment, ["decided_at"] = Time(d.DecidedAt), ["decision"] = d.Decision, ["digest"] = d.Digest, ["principal"] = d.Principal,
            })]),
            ["break_glass"] = new JsonArray([.. agreed.BreakGlass.Select(a => new JsonObject
            {
                ["capacity"] = a.Capacity, ["decided_at"] = Time(a.DecidedAt), ["digest"] = a.Digest, ["expires_at"] = Time(a.ExpiresAt), ["principal"] = a.Principal, ["reason"] = a.Reason,
            })]),
            ["review"] = agreed.Review is { } review ? Review(review) : null,
        });
    }

    private static JsonObject Review(ReviewRow review) => new()
    {
        ["closed_at"] = Time(review.ClosedAt), ["closed_by"] = review.ClosedBy, ["comment"] = review.Comment, ["opened_at"] = Time(review.OpenedAt),
        ["participants"] = new JsonArray([.. review.Participants.Select(name => JsonValue.Create(name))]), ["reason"] = review.Reason,
    };

    /// <summary>A link, and its checkpoint where one was signed.</summary>
    public static IEnumerable<EvidenceDocument> ToDocuments(LinkRow link, string tenant)
    {
        var chained = new ChainLink(tenant, link.Seq, ChainTime.Text(link.LinkedAt), Convert.ToHexStringLower(link.PrevHash), [.. link.RowHashes.Chunk(32).Select(Convert.ToHexStringLower)]);
        yield return new EvidenceDocument("link", new JsonObject
        {
            ["tenant"] = tenant, ["seq"] = Text(link.Seq), ["linked_at"] = chained.LinkedAt, ["prev_hash"] = chained.PreviousHash, ["hash"] = chained.Hash(),
            ["rows"] = new JsonArray([.. chained.RowHashes.Select(hash => JsonValue.Create(hash))]),
        });
        if (link.Signature is not null)
            yield return new EvidenceDocument("checkpoint", new JsonObject
            {
                ["tenant"] = tenant, ["seq"] = Text(link.Seq), ["hash"] = Convert.ToHexStringLower(link.CheckpointHash!), ["signed_at"] = ChainTime.Text(link.SignedAt!.Value),
                ["key_id"] = link.KeyId, ["signature"] = Convert.ToBase64String(link.Signature),
            });
    }

    /// <param name="row">Its canonical form.</param>
    public static EvidenceDocument ToDocument(string row, long link, int position) =>
        new("row", new JsonObject { ["link"] = Text(link), ["position"] = Text(position), ["row"] = JsonNode.Parse(row) });

    private static string? Text(long? number) => number?.ToString(CultureInfo.InvariantCulture);

    private static string? Time(DateTimeOffset? at) => at is { } time ? ChainTime.Text(time.UtcDateTime) : null;
}
