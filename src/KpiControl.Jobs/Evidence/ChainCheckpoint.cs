using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Evidence;

/// <summary>What a chain had come to, signed: kept elsewhere, it shows that nothing up to it was taken away or written anew.</summary>
/// <param name="Tenant">Whose chain.</param>
/// <param name="Seq">The last link.</param>
/// <param name="Hash">Its hash.</param>
/// <param name="SignedAt">When: <c>yyyy-MM-ddTHH:mm:ss.ffffffZ</c>.</param>
/// <param name="KeyId">Of the public key, <see cref="ChainSignature.IdOf"/>.</param>
public sealed record ChainCheckpoint(string Tenant, long Seq, string Hash, string SignedAt, string KeyId)
{
    /// <summary>The bytes that are signed.</summary>
    public byte[] ToSign() => Encoding.UTF8.GetBytes(Jcs.Write(new JsonObject
    {
        ["format"] = "kpicontrol-checkpoint/1", ["tenant"] = Tenant, ["seq"] = Seq.ToString(CultureInfo.InvariantCulture), ["hash"] = Hash,
        ["signed_at"] = SignedAt, ["key_id"] = KeyId,
    }));
}
