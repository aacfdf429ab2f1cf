using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace KpiControl.Jobs.Evidence;

/// <summary>
/// Looks at a bundle with public keys and nothing else, in the order of docs/evidence-format.md, and names the first thing that
/// does not fit.
/// </summary>
public static class EvidenceVerifier
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <param name="keys">ECDSA over P-256, had from elsewhere than the bundle.</param>
    public static EvidenceVerdict Verify(ReadOnlySpan<byte> bundle, IReadOnlyList<ECDsa> keys)
    {
        if (Lines(bundle) is not { Count: > 0 } lines)
            return EvidenceVerdict.Of("the bundle is empty, is not UTF-8, or its last line has no end: it was cut off or changed");
        var (payload, keyId, finding) = DsseEnvelope.Open(lines[^1], keys);
        if (payload is null)
            return EvidenceVerdict.Of(finding!);
        if (Statement(payload) is not { } statement)
            return EvidenceVerdict.Of("the signed statement is not one of a bundle (urn:kpicontrol:evidence:1 or 2)");
        var documents = new List<EvidenceDocument>(lines.Count - 1);
        finding = Documents(lines, statement, documents) ?? Chain(documents, statement.Tenant, keys).FirstOrDefault();
        var meaning = new EvidenceMeaning(documents, statement.Tenant, statement.Edition);
        finding ??= meaning.Findings().FirstOrDefault();
        return new EvidenceVerdict(finding, keyId, statement, finding is null ? meaning.Runs() : [], documents.Count);
    }

    // A byte that is not UTF-8, and what follows the last line's end, are findings; nothing is mended.
    private static List<string>? Lines(ReadOnlySpan<byte> bundle)
    {
        if (bundle.IsEmpty || bundle[^1] != (byte)'\n')
            return null;
        try
        {
            return [.. Strict.GetString(bundle[..^1]).Split('\n')];
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    private static EvidenceStatement? Statement(byte[] payload)
    {
        try
        {
            return EvidenceStatement.Read(Strict.GetString(payload));
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    private static string? Documents(List<string> lines, EvidenceStatement statement, List<EvidenceDocument> documents)
    {
        if (statement.Subjects.Count != lines.Count - 1)
            return $"{statement.Subjects.Count} documents were signed, {lines.Count - 1} are here";
        foreach (var (i, subject) in statement.Subjects.Index())
            if (EvidenceSubject.Of(subject.Name, lines[i]) != subject)
                return $"line {i + 1}, signed as {subject.Name}, was changed, moved or exchanged";
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (i, subject) in statement.Subjects.Index())
        {
            if (EvidenceDocument.Read(lines[i]) is not { } document || document.Name != subject.Name || !names.Add(subject.Name))
                return $"line {i + 1} is not the document {subject.Name} in its one spelling";
            documents.Add(document);
        }
        return null;
    }

    private static IEnumerable<string> Chain(List<EvidenceDocument> documents, string tenant, IReadOnlyList<ECDsa> keys)
    {
        var links = new Dictionary<long, (ChainLink Link, string Hash)>();
        var checkpoints = new HashSet<long>();
        foreach (var document in documents.Where(d => d.Kind is "link" or "checkpoint" && d["tenant"] != tenant))
            yield return $"{document.Name} is of another tenant's chain than the statement's, {tenant}";
        long? before = null;
        foreach (var document in documents.Where(d => d.Kind == "link"))
        {
            if (Number(document["seq"]) is not { } seq || document["prev_hash"] is not { } previous || document["linked_at"] is not { } at)
            {
                yield return $"{document.Name} has no number, instant or hash of the link before";
                continue;
            }
            var link = new ChainLink(tenant, seq, at, previous, [.. ((JsonArray)document.Body["rows"]!).Select(hash => CanonicalJson.Text(hash)!)]);
            if (link.Hash() != document["hash"])
                yield return $"link {seq} was changed";
            if (before >= seq)
                yield return $"link {seq} stands behind link {before}";
            if (before == seq - 1 && links[seq - 1].Hash != previous)
                yield return $"link {seq} does not follow the link before it: one of the two was changed";
            links[seq] = (link, document["hash"]!);
            before = seq;
        }
        foreach (var document in documents.Where(d => d.Kind == "checkpoint"))
        {
            var checkpoint = new ChainCheckpoint(tenant, Number(document["seq"]) ?? 0, document["hash"] ?? "", document["signed_at"] ?? "", document["key_id"] ?? "");
            if (!links.TryGetValue(checkpoint.Seq, out var signed) || signed.Hash != checkpoint.Hash)
                yield return $"{document.Name} is of another link than the one that is here: the chain was changed after it was signed";
            if (keys.FirstOrDefault(key => ChainSignature.IdOf(key) == checkpoint.KeyId) is not { } key)
                yield return $"{document.Name} is signed with the key {checkpoint.KeyId}, which was not given: give the public key of that time too";
            else if (!ChainSignature.Is(key, checkpoint.KeyId, checkpoint.ToSign(), Base64(document["signature"])))
                yield return $"the signature of {document.Name} does not fit";
            checkpoints.Add(checkpoint.Seq);
        }
        foreach (var seq in links.Keys.Where(seq => !links.ContainsKey(seq + 1) && !checkpoints.Contains(seq)))
            yield return $"link {seq} is under no checkpoint";
        foreach (var document in documents.Where(d => d.Kind == "row"))
        {
            var row = (JsonObject)document.Body["row"]!;
            if (Number(document["link"]) is not { } seq || Number(document["position"]) is not { } position || !links.TryGetValue(seq, out var link) || position >= link.Link.RowHashes.Count)
                yield return $"{document.Name} is in no link that is here";
            else if (ChainLink.HashOf(row) != link.Link.RowHashes[(int)position])
                yield return $"{document.Name} ({CanonicalJson.Text(row["table"])} {CanonicalJson.Text(row["id"])}) is not the row that was linked";
            else if (CanonicalJson.Text(row["tenant"]) != tenant)
                yield return $"{document.Name} is another tenant's";
        }
    }

    private static long? Number(string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number.ToString(CultureInfo.InvariantCulture) == text ? number : null;

    private static byte[] Base64(string? text)
    {
        var bytes = new byte[text?.Length ?? 0];
        return Convert.TryFromBase64String(text ?? "", bytes, out var length) && Convert.ToBase64String(bytes, 0, length) == text ? bytes[..length] : [];
    }
}
