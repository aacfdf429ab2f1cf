using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Evidence;

/// <summary>
/// A link of a tenant's chain: it fixes the rows that it names by their hashes, and all links before it by the hash of
/// the one before. How each hash is taken is in <c>docs/audit-format.md</c>.
/// </summary>
/// <param name="Tenant">Whose chain; <c>*</c> is the cluster's own.</param>
/// <param name="Seq">1 for the first link, one more for each that follows.</param>
/// <param name="LinkedAt">When it was linked: <c>yyyy-MM-ddTHH:mm:ss.ffffffZ</c>.</param>
/// <param name="PreviousHash">The hash of the link before; 64 zeros for the first. Lower-case hex, as all hashes here.</param>
/// <param name="RowHashes">Of the rows, in their order.</param>
public sealed record ChainLink(string Tenant, long Seq, string LinkedAt, string PreviousHash, IReadOnlyList<string> RowHashes)
{
    /// <summary>What the first link names as the one before.</summary>
    public static readonly string Genesis = new('0', 64);

    /// <summary>The link's own hash.</summary>
    public string Hash() => HashOf(new JsonObject
    {
        ["format"] = "kpicontrol-chain/1", ["tenant"] = Tenant, ["seq"] = Seq.ToString(CultureInfo.InvariantCulture), ["linked_at"] = LinkedAt,
        ["prev_hash"] = PreviousHash, ["rows"] = new JsonArray([.. RowHashes.Select(hash => JsonValue.Create(hash))]),
    });

    /// <summary>SHA-256 over the RFC 8785 form of a row or link.</summary>
    public static string HashOf(JsonNode canonical) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Jcs.Write(canonical))));
}
