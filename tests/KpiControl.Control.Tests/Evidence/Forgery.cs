using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using KpiControl.Jobs.Evidence;

namespace KpiControl.Control.Tests.Evidence;

/// <summary>What the installation itself could sign, who has the key at hand: other documents, and another history.</summary>
internal static class Forgery
{
    public static List<EvidenceDocument> With(IReadOnlyList<EvidenceDocument> documents, string kind, Action<JsonObject> change)
    {
        var copies = Copies(documents);
        change(copies.First(d => d.Kind == kind).Body);
        return copies;
    }

    /// <summary>Another row, and the chain written anew over it: each hash and each checkpoint fits.</summary>
    public static List<EvidenceDocument> WithRow(IReadOnlyList<EvidenceDocument> documents, ECDsa key, Predicate<JsonObject> which, Action<JsonObject> change)
    {
        var copies = Copies(documents);
        var links = copies.Where(d => d.Kind == "link").ToDictionary(d => d["seq"]!);
        foreach (var (document, row) in copies.Where(d => d.Kind == "row").Select(d => (d, (JsonObject)d.Body["row"]!)).Where(d => which(d.Item2)))
        {
            change(row);
            links[document["link"]!].Body["rows"]![int.Parse(document["position"]!, CultureInfo.InvariantCulture)] = ChainLink.HashOf(row);
        }
        (long Seq, string Hash) before = (0, "");
        foreach (var link in links.Values.Select(d => d.Body))
        {
            var seq = long.Parse(Text(link["seq"]), CultureInfo.InvariantCulture);
            if (before.Seq == seq - 1 && before.Hash.Length > 0)
                link["prev_hash"] = before.Hash;
            var hash = new ChainLink(Text(link["tenant"]), seq, Text(link["linked_at"]), Text(link["prev_hash"]), [.. link["rows"]!.AsArray().Select(Text)]).Hash();
            link["hash"] = hash;
            before = (seq, hash);
        }
        foreach (var checkpoint in copies.Where(d => d.Kind == "checkpoint").Select(d => d.Body))
        {
            checkpoint["hash"] = links[Text(checkpoint["seq"])]["hash"];
            var anew = new ChainCheckpoint(Text(checkpoint["tenant"]), long.Parse(Text(checkpoint["seq"]), CultureInfo.InvariantCulture), Text(checkpoint["hash"]), Text(checkpoint["signed_at"]), Text(checkpoint["key_id"]));
            checkpoint["signature"] = Convert.ToBase64String(ChainSignature.Sign(key, anew.ToSign()));
        }
        return copies;
    }

    /// <summary>Changes JSON that stands in a member as text.</summary>
    public static void Within(JsonObject row, string member, Action<JsonObject> change)
    {
        var json = JsonNode.Parse(Text(row[member]))!.AsObject();
        change(json);
        row[member] = json.ToJsonString();
    }

    private static List<EvidenceDocument> Copies(IEnumerable<EvidenceDocument> documents) => [.. documents.Select(d => new EvidenceDocument(d.Kind, d.Body.DeepClone().AsObject()))];

    private static string Text(JsonNode? node) => node!.GetValue<string>();
}
