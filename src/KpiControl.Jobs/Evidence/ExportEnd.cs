using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Evidence;

/// <summary>What an export holds, signed: one that was cut short cannot be closed again without the key.</summary>
/// <param name="Tenant">Whose chain.</param>
/// <param name="FromSeq">The first link asked for.</param>
/// <param name="Links">Links in it.</param>
/// <param name="Rows">Rows in it.</param>
/// <param name="LastHash">Of the last link; of the one before the first where there is none.</param>
/// <param name="ExportedAt">When: <c>yyyy-MM-ddTHH:mm:ss.ffffffZ</c>.</param>
/// <param name="KeyId">Of the public key; empty: nothing is signed.</param>
public sealed record ExportEnd(string Tenant, long FromSeq, long Links, long Rows, string LastHash, string ExportedAt, string KeyId)
{
    /// <summary>The bytes that are signed.</summary>
    public byte[] ToSign() => Encoding.UTF8.GetBytes(Jcs.Write(new JsonObject
    {
        ["format"] = "kpicontrol-export-end/1", ["tenant"] = Tenant, ["from_seq"] = FromSeq.ToString(CultureInfo.InvariantCulture),
        ["links"] = Links.ToString(CultureInfo.InvariantCulture), ["rows"] = Rows.ToString(CultureInfo.InvariantCulture), ["last_hash"] = LastHash,
        ["exported_at"] = ExportedAt, ["key_id"] = KeyId,
    }));
}
